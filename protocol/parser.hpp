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
//   refused    The connection is to be closed (see error.hpp); all before was good, and has been
//              handed on.
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
  /// A command is read fast if so many bytes from its beginning on may be read.
  static constexpr size_t block_bytes = scan::block_bytes + sizeof(uint64_t);

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
  template <CommandKind kind>
  bool next_plain(std::string_view input, Command& out, size_t& consumed_bytes);
  Step next_hpub(std::string_view input, Command& out);
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
  if (next_plain<CommandKind::pub>(input, out, consumed_bytes)) [[likely]]
    return step_over(consumed_bytes);
  const bool may_be_hpub = !input.empty() && (input.front() | 0x20) == 'h';
  return may_be_hpub ? next_hpub(input, out) : next_any(input, out);
}

// The commands that matter: PUB and HPUB as every client library writes them, whole, with a line of
// less than 64 bytes. One mask has all its blanks. Whatever is odd about it is left to next_line,
// which knows all cases, so that nothing is decided twice.
template <CommandKind kind>
inline bool Parser::next_plain(std::string_view input, Command& out, size_t& consumed_bytes) {
  // The digits of sizes are read as eight bytes, from inside the block.
  if (input.size() < block_bytes) return false;
  const char* const bytes = input.data();

  constexpr bool has_headers = kind == CommandKind::hpub;
  constexpr std::string_view verb = has_headers ? "hpub" : "pub ";
  constexpr size_t subject_at = has_headers ? 5 : 4;
  constexpr uint32_t fold_letters = has_headers ? 0x20202020 : 0x00202020;
  if ((scan::load_u32(bytes) | fold_letters) != scan::load_u32(verb.data())) return false;
  if (has_headers && bytes[subject_at - 1] != ' ') return false;

  const uint64_t first = scan::blanks(bytes) & ~((uint64_t{1} << subject_at) - 1);
  const uint64_t second = first & (first - 1);
  const uint64_t third = second & (second - 1);
  const uint64_t last = has_headers ? third & (third - 1) : third;
  if (last == 0) return false;  // Not even a subject's end, CR and LF.
  const auto place = [](uint64_t blanks) { return static_cast<size_t>(std::countr_zero(blanks)); };
  const size_t subject_end = place(first);
  if (subject_end == subject_at || bytes[subject_end] != ' ') return false;

  constexpr uint16_t line_end = '\r' | '\n' << 8;
  size_t number_at = subject_end + 1;
  size_t number_end = place(second);
  size_t header_digits = 0;
  if constexpr (has_headers) {
    header_digits = number_end - number_at;
    number_at = number_end + 1;
    number_end = place(third);
  }
  size_t reply_bytes = 0;
  if (bytes[number_end] == ' ') {
    reply_bytes = has_headers ? header_digits : number_end - number_at;
    if (reply_bytes == 0) return false;
    if (has_headers && bytes[subject_end + 1 + reply_bytes] != ' ') return false;
    header_digits = number_end - number_at;
    number_at = number_end + 1;
    number_end = place(last);
  }
  if (scan::load_u16(bytes + number_end) != line_end) return false;
  if (number_end - subject_at > control_line_bytes_max_) return false;

  const size_t digits = number_end - number_at;
  if (digits - 1 >= sizeof(uint64_t)) return false;
  const uint32_t message_bytes = read_short_decimal(bytes + number_at, digits);
  if (message_bytes > payload_bytes_max_) return false;  // As not_a_number is.
  uint32_t header_bytes = 0;
  if constexpr (has_headers) {
    if (bytes[number_at - 1] != ' ' || header_digits - 1 >= sizeof(uint64_t)) return false;
    header_bytes = read_short_decimal(bytes + number_at - 1 - header_digits, header_digits);
    if (header_bytes > message_bytes) return false;  // As not_a_number is.
  }

  const size_t message_at = number_end + line_end_bytes;
  const size_t message_end = message_at + message_bytes;
  if (input.size() < message_end + line_end_bytes) return false;
  if (scan::load_u16(bytes + message_end) != line_end) return false;

  scanned_bytes_ = 0;
  out.kind = kind;
  out.subject = {bytes + subject_at, subject_end - subject_at};
  out.reply = {bytes + subject_end + 1, reply_bytes};
  out.message = {bytes + message_at, message_bytes};
  out.header_bytes = header_bytes;
  consumed_bytes = message_end + line_end_bytes;
  return true;
}

}  // namespace peal::protocol
