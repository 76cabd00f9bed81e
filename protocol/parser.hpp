#pragma once
// Client bytes to commands. It knows the grammar and its limits; it keeps no byte, reads none past
// the end of its input, and must never know a connection, a subject's meaning, or who may do what.
//
// The contract. The caller presents bytes that begin where a command begins.
//   command    `out` is written; the next command begins `consumed_bytes` further on.
//   need_more  Nothing was consumed. The caller comes back with the same bytes and more after them,
//              at any address. `needed_bytes` counts from the beginning of the command: one more
//              than there are for a line, all of the command for a message whose line is complete.
//              To come back sooner is allowed, and finds a bad payload end a byte earlier.
//   refused    The connection is to be closed (see error.hpp); all before was good and was
//   delivered.
// However the bytes were cut, the same commands come out, and the same refusal.
//
// Where we differ from nats-server 2.15, on purpose:
//   - A control byte (0x00 to 0x1f, tab apart) among the arguments of PUB, HPUB, SUB and UNSUB is a
//     protocol violation. nats-server takes most of them as text, sends them on to line-based
//     peers, and loses a byte when a read ends behind a CR.
//   - A line ends at its first LF, always. nats-server swallows a LF that follows the blank after
//     the verb, or CONNECT itself, and takes the next line for the arguments.
//   - The rest of a line after PING, PONG and +OK is ignored, but counts as arguments do; INFO's
//     arguments are not even looked at.
//   - The blanks between verb and arguments are bounded too: line_bytes_max in limits.hpp.
//   - The maximum of UNSUB must be a number of 1 to 9 digits. nats-server reads all else as 0.
//   - -ERR closes when its verb is complete, HMSG is refused at its M: nothing waits for the rest.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/command.hpp"
#include "protocol/decimal.hpp"
#include "protocol/limits.hpp"
#include "protocol/scan.hpp"
#include "protocol/step.hpp"

namespace peal::protocol {

/// One for each connection, and there are many idle ones: it is kept small.
class Parser {
 public:
  explicit Parser(const Limits& limits) { set_limits(limits); }

  Step next(std::string_view input, Command& out);

  /// The caller took a command by itself, because it was the same as one before.
  void skipped() { scanned_bytes_ = 0; }

  /// HPUB is refused until headers have been negotiated.
  void allow_headers(bool allowed) { headers_allowed_ = allowed; }
  /// For what begins after what has been consumed. More than a size can say is no limit, and means
  /// none.
  void set_limits(const Limits& limits) {
    control_line_bytes_max_ = std::min(limits.control_line_bytes_max, number_max);
    payload_bytes_max_ = std::min(limits.payload_bytes_max, number_max);
  }

 private:
  bool next_plain_pub(std::string_view input, Command& out, size_t& consumed_bytes);
  Step next_any(std::string_view input, Command& out);
  Step next_line(std::string_view input, Command& out);
  Step read_pub(std::string_view input, std::string_view arguments, size_t line_bytes,
                Command& out);
  Step read_hpub(std::string_view input, std::string_view arguments, size_t line_bytes,
                 Command& out);
  Step read_message(std::string_view input, size_t line_bytes, size_t message_bytes, Command& out);
  bool overlong(std::string_view tail, bool blanks_lead) const;

  uint32_t control_line_bytes_max_;
  uint32_t payload_bytes_max_;
  // How much of an incomplete line was searched for its end: a peer that drips bytes must not make
  // us read its line anew for each.
  uint32_t scanned_bytes_ = 0;
  bool headers_allowed_ = false;
};

static_assert(sizeof(Parser) <= 24);

inline Step Parser::next(std::string_view input, Command& out) {
  size_t consumed_bytes;
  if (next_plain_pub(input, out, consumed_bytes)) [[likely]]
    return step_over(consumed_bytes);
  return next_any(input, out);
}

// The command that matters: PUB as every client library writes it, whole, with a line of less than
// 64 bytes. One mask has all its blanks. Whatever is odd about it is left to next_any, which knows
// all cases, so that nothing is decided twice.
inline bool Parser::next_plain_pub(std::string_view input, Command& out, size_t& consumed_bytes) {
  // The digits of the size are read as eight bytes, from inside the block.
  if (input.size() < scan::block_bytes + sizeof(uint64_t)) return false;
  const char* const bytes = input.data();

  constexpr uint32_t fold_three_letters = 0x00202020;
  constexpr uint32_t pub_and_space = 'p' | 'u' << 8 | 'b' << 16 | ' ' << 24;
  if ((scan::load_u32(bytes) | fold_three_letters) != pub_and_space) return false;

  constexpr size_t subject_at = 4;
  const uint64_t first = scan::blanks(bytes) & ~uint64_t{0xf};
  const uint64_t second = first & (first - 1);
  const uint64_t third = second & (second - 1);
  if (third == 0) return false;  // Not even a subject's end, CR and LF.
  const size_t subject_end = size_t(std::countr_zero(first));
  if (subject_end == subject_at || bytes[subject_end] != ' ') return false;

  constexpr uint16_t line_end = '\r' | '\n' << 8;
  size_t size_at = subject_end + 1;
  size_t size_end = size_t(std::countr_zero(second));
  size_t reply_bytes = 0;
  if (bytes[size_end] == ' ') {
    reply_bytes = size_end - size_at;
    if (reply_bytes == 0) return false;
    size_at = size_end + 1;
    size_end = size_t(std::countr_zero(third));
  }
  if (scan::load_u16(bytes + size_end) != line_end) return false;
  if (size_end - subject_at > control_line_bytes_max_) return false;

  const size_t digits = size_end - size_at;
  if (digits - 1 >= sizeof(uint64_t)) return false;
  const uint32_t message_bytes = read_short_decimal(bytes + size_at, digits);
  if (message_bytes > payload_bytes_max_) return false;  // As not_a_number is.

  const size_t message_at = size_end + line_end_bytes;
  const size_t message_end = message_at + message_bytes;
  if (input.size() < message_end + line_end_bytes) return false;
  if (scan::load_u16(bytes + message_end) != line_end) return false;

  scanned_bytes_ = 0;
  out.kind = CommandKind::pub;
  out.subject = {bytes + subject_at, subject_end - subject_at};
  out.reply = {bytes + subject_end + 1, reply_bytes};
  out.message = {bytes + message_at, message_bytes};
  out.header_bytes = 0;
  consumed_bytes = message_end + line_end_bytes;
  return true;
}

}  // namespace peal::protocol
