#include "protocol/reply_parser.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <optional>

#include "protocol/decimal.hpp"
#include "protocol/limits.hpp"
#include "protocol/scan.hpp"
#include "protocol/words.hpp"

namespace peal::protocol {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::string_view without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

Step step_as(ReplyKind kind, size_t line_bytes, Reply& out) {
  out.kind = kind;
  return step_over(line_bytes);
}

}  // namespace

Step ReplyParser::next(std::string_view input, Reply& out) {
  assert(scanned_bytes_ <= input.size());
  size_t consumed_bytes;
  if (next_plain_msg(input, out, consumed_bytes)) [[likely]]
    return step_over(consumed_bytes);
  const Step step = next_line(input, out);
  if (step.kind != StepKind::need_more) scanned_bytes_ = 0;
  return step;
}

// A whole MSG with a line of less than 64 bytes, which is nearly all that a load generator sees.
// Everything else is left to next_line.
bool ReplyParser::next_plain_msg(std::string_view input, Reply& out, size_t& consumed_bytes) {
  if (input.size() < scan::block_bytes + sizeof(uint64_t)) return false;
  const char* const bytes = input.data();
  constexpr uint32_t msg_and_space = 'M' | 'S' << 8 | 'G' << 16 | ' ' << 24;
  if (scan::load_u32(bytes) != msg_and_space) return false;

  constexpr size_t subject_at = 4;
  const uint64_t first = scan::blanks(bytes) & ~uint64_t{0xf};
  const uint64_t second = first & (first - 1);
  const uint64_t third = second & (second - 1);
  const uint64_t fourth = third & (third - 1);
  if (fourth == 0) return false;
  const size_t subject_end = size_t(std::countr_zero(first));
  const size_t sid_end = size_t(std::countr_zero(second));
  if (subject_end == subject_at || bytes[subject_end] != ' ') return false;
  if (sid_end == subject_end + 1 || bytes[sid_end] != ' ') return false;

  constexpr uint16_t line_end = '\r' | '\n' << 8;
  size_t size_at = sid_end + 1;
  size_t size_end = size_t(std::countr_zero(third));
  size_t reply_bytes = 0;
  if (bytes[size_end] == ' ') {
    reply_bytes = size_end - size_at;
    if (reply_bytes == 0) return false;
    size_at = size_end + 1;
    size_end = size_t(std::countr_zero(fourth));
  }
  if (scan::load_u16(bytes + size_end) != line_end) return false;

  const size_t digits = size_end - size_at;
  if (digits - 1 >= sizeof(uint64_t)) return false;
  const uint32_t message_bytes = read_short_decimal(bytes + size_at, digits);
  if (message_bytes == not_a_number) return false;
  const size_t message_at = size_end + line_end_bytes;
  const size_t message_end = message_at + message_bytes;
  if (input.size() < message_end + line_end_bytes) return false;
  if (scan::load_u16(bytes + message_end) != line_end) return false;

  scanned_bytes_ = 0;
  out.kind = ReplyKind::msg;
  out.subject = {bytes + subject_at, subject_end - subject_at};
  out.sid = {bytes + subject_end + 1, sid_end - subject_end - 1};
  out.reply = {bytes + sid_end + 1, reply_bytes};
  out.message = {bytes + message_at, message_bytes};
  out.header_bytes = 0;
  consumed_bytes = message_end + line_end_bytes;
  return true;
}

Step ReplyParser::next_line(std::string_view input, Reply& out) {
  const size_t search_end = std::min(input.size(), reply_line_bytes_max);
  const size_t search_at = std::min(scanned_bytes_, search_end);
  const void* const found =
      search_at == search_end ? nullptr
                              : std::memchr(input.data() + search_at, '\n', search_end - search_at);
  if (found == nullptr) {
    if (input.size() >= reply_line_bytes_max) return refuse(Refusal::control_line_exceeded);
    scanned_bytes_ = input.size();
    return need(input.size() + 1);
  }
  const size_t newline = size_t(static_cast<const char*>(found) - input.data());
  const size_t line_bytes = newline + 1;
  std::string_view line = input.substr(0, newline);
  if (line.ends_with('\r')) line.remove_suffix(1);

  if (line.starts_with("MSG ")) return read_message(input, line.substr(4), line_bytes, 1, out);
  if (line.starts_with("HMSG ")) return read_message(input, line.substr(5), line_bytes, 2, out);
  if (line == "PING") return step_as(ReplyKind::ping, line_bytes, out);
  if (line == "PONG") return step_as(ReplyKind::pong, line_bytes, out);
  if (line == "+OK") return step_as(ReplyKind::ok, line_bytes, out);
  if (line.starts_with("INFO ")) {
    out.text = trimmed(line.substr(5));
    return step_as(ReplyKind::info, line_bytes, out);
  }
  if (line.starts_with("-ERR")) {
    out.text = without_quotes(trimmed(line.substr(4)));
    return step_as(ReplyKind::err, line_bytes, out);
  }
  return refuse(Refusal::unknown_operation);
}

// The rest of MSG, which has one size, and of HMSG, which has two.
Step ReplyParser::read_message(std::string_view input, std::string_view arguments,
                               size_t line_bytes, size_t sizes, Reply& out) {
  const Words words = split_words(arguments, input.data() + input.size());
  if (!words.clean || words.count < 2 + sizes || words.count > 3 + sizes) {
    return refuse(Refusal::protocol_violation);
  }
  const std::optional<uint32_t> message_bytes = read_decimal(words.at[words.count - 1]);
  const std::optional<uint32_t> header_bytes =
      sizes == 2 ? read_decimal(words.at[words.count - 2]) : 0;
  if (!message_bytes || !header_bytes || *header_bytes > *message_bytes) {
    return refuse(Refusal::protocol_violation);
  }
  const size_t message_end = line_bytes + *message_bytes;
  const std::string_view rest = input.substr(std::min(message_end, input.size()), line_end_bytes);
  if (!std::string_view("\r\n").starts_with(rest)) return refuse(Refusal::unknown_operation);
  if (rest.size() < line_end_bytes) {
    scanned_bytes_ = line_bytes - 1;
    return need(message_end + line_end_bytes);
  }

  out.kind = sizes == 2 ? ReplyKind::hmsg : ReplyKind::msg;
  out.subject = words.at[0];
  out.sid = words.at[1];
  out.reply = words.count == 3 + sizes ? words.at[2] : std::string_view();
  out.message = input.substr(line_bytes, *message_bytes);
  out.header_bytes = *header_bytes;
  return step_over(message_end + line_end_bytes);
}

}  // namespace peal::protocol
