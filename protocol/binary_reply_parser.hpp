#pragma once
// A server's frames to replies: the other end of binary_parser.hpp, for who writes a client. The
// contract is that of parser.hpp; of a batch, each message is a reply of its own, as soon as it is
// there. It knows the layout; it must never know who subscribed to what.
//
// A server is trusted more than a client, and checked less: a message may be of any size. What it
// says of lengths is checked against the frame all the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/reply_parser.hpp"
#include "protocol/step.hpp"

namespace peal::protocol {

/// One struct, reused, of which only the fields of its kind are written; views live until the next
/// call, and as long as the input.
struct BinaryReply {
  ReplyKind kind = ReplyKind::ok;  // MSG with and without headers is `msg` alike.
  uint32_t sid = 0;                // MSG.
  std::string_view subject;        // MSG; empty: the one that was subscribed to.
  std::string_view reply;          // MSG; empty when there is none.
  std::string_view message;        // MSG: headers, then payload.
  uint32_t header_bytes = 0;       // MSG.
  std::string_view text;           // INFO: its JSON. ERR: its sentence.
};

class BinaryReplyParser {
 public:
  Step next(std::string_view input, BinaryReply& out);

  /// Of a batch that has begun, what is still to come: for who wants to count and not to look.
  size_t batch_bytes_left() const { return size_t{batch_messages_} * batch_message_bytes_; }

 private:
  Step read_message(std::string_view input, BinaryReply& out);
  Step begin_batch(std::string_view input);
  Step next_of_batch(std::string_view input, size_t messages_at, BinaryReply& out);

  uint32_t batch_messages_ = 0;  // Still to come.
  uint32_t batch_message_bytes_ = 0;
  uint32_t batch_sid_ = 0;
  std::string batch_subject_;
};

}  // namespace peal::protocol
