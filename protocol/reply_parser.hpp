#pragma once
// Server bytes to replies: the other end of the wire, for the load generator and the tests. The
// contract is that of parser.hpp, with the same Step. It knows the grammar; it keeps no byte, and
// must never know who asked for what.
//
// A server is trusted more than a client, and checked less: verbs are in upper case, lines may be
// long, and a payload may be of any size that nine digits can say.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/step.hpp"

namespace peal::protocol {

enum class ReplyKind : uint8_t { info, msg, hmsg, ping, pong, ok, err };

/// As Command: one struct, reused, of which only the fields of its kind are written; views live as
/// long as the input.
struct Reply {
  ReplyKind kind;
  std::string_view subject;   // MSG, HMSG.
  std::string_view sid;       // MSG, HMSG.
  std::string_view reply;     // MSG, HMSG; empty when there is none.
  std::string_view message;   // MSG, HMSG: headers, then payload.
  uint32_t header_bytes = 0;  // MSG (where it is 0), HMSG.
  std::string_view text;      // INFO: its JSON. -ERR: its text, without the quotes.
};

class ReplyParser {
 public:
  Step next(std::string_view input, Reply& out);

 private:
  bool next_plain_msg(std::string_view input, Reply& out, size_t& consumed_bytes);
  Step next_line(std::string_view input, Reply& out);
  Step read_message(std::string_view input, std::string_view arguments, size_t line_bytes,
                    size_t sizes, Reply& out);

  size_t scanned_bytes_ = 0;  // As in Parser.
};

}  // namespace peal::protocol
