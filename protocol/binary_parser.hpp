#pragma once
// A client's frames to commands: what parser.hpp is for lines. It knows the layout and its limits;
// it keeps no byte, reads none past the end of its input, and must never know a connection, what an
// alias stands for, or who may do what.
//
// The contract is that of parser.hpp, but for batches: their head is a frame of its own, and then
// the messages come out as they come in, as many as are there. So a batch of any length needs no
// memory, and one that breaks off has been published as far as it came.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/binary_frame.hpp"
#include "protocol/command.hpp"
#include "protocol/decimal.hpp"
#include "protocol/limits.hpp"
#include "protocol/step.hpp"

namespace peal::protocol {

enum class FrameKind : uint8_t {
  command,   // `command` has it, and `alias`.
  batch,     // Its messages come next: on the subject that `command` has, or of `alias`.
  messages,  // Of that batch.
};

struct Frame {
  FrameKind kind;
  Command command;     // As a line would have said it; the sid as decimal digits.
  uint32_t alias = 0;  // PUB and batch; 0 for none. With a subject: the alias is to name it.
  const char* first = nullptr;  // Of `messages`, that lie back to back.
  size_t message_bytes = 0;
  size_t messages = 0;
};

class BinaryParser {
 public:
  explicit BinaryParser(const Limits& limits) { set_limits(limits); }

  Step next(std::string_view input, Frame& out);

  /// The caller took fewer of the messages than next() gave, and comes back with the others.
  void give_back(size_t messages) { batch_messages_ += static_cast<uint32_t>(messages); }

  /// As in Parser.
  void allow_headers(bool allowed) { headers_allowed_ = allowed; }
  void set_limits(const Limits& limits) {
    names_bytes_max_ = std::min(limits.control_line_bytes_max, number_max);
    payload_bytes_max_ = std::min(limits.payload_bytes_max, number_max);
  }

 private:
  Step read_pub(std::string_view input, const FrameHead& head, Frame& out);
  Step read_batch(std::string_view input, const FrameHead& head, Frame& out);
  Step read_messages(std::string_view input, Frame& out);
  Step read_sub(std::string_view input, const FrameHead& head, Frame& out);
  Step read_unsub(const FrameHead& head, Frame& out);
  Step read_connect(std::string_view input, const FrameHead& head, Frame& out);
  void write_sid(uint32_t sid, Frame& out);

  uint32_t names_bytes_max_;
  uint32_t payload_bytes_max_;
  uint32_t batch_messages_ = 0;  // Of the batch that was begun, those that are still to come.
  uint32_t batch_message_bytes_ = 0;
  bool headers_allowed_ = false;
  char sid_[decimal_bytes_max];
};

}  // namespace peal::protocol
