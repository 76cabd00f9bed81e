#include "protocol/parser.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

#include "protocol/letter_case.hpp"
#include "protocol/words.hpp"

namespace peal::protocol {
namespace {

enum class Verb : uint8_t { pub, hpub, sub, unsub, ping, pong, connect, info, ok, err };

struct VerbRule {
  std::string_view name;  // In lower case.
  Verb verb;
  bool blank_follows;  // Or else anything may: `CONNECT{}` and `PINGxxx` are good.
};

constexpr VerbRule pub_rule{"pub", Verb::pub, true};
constexpr VerbRule hpub_rule{"hpub", Verb::hpub, true};
constexpr VerbRule sub_rule{"sub", Verb::sub, true};
constexpr VerbRule unsub_rule{"unsub", Verb::unsub, true};
constexpr VerbRule ping_rule{"ping", Verb::ping, false};
constexpr VerbRule pong_rule{"pong", Verb::pong, false};
constexpr VerbRule connect_rule{"connect", Verb::connect, false};
constexpr VerbRule info_rule{"info", Verb::info, false};
constexpr VerbRule ok_rule{"+ok", Verb::ok, false};
constexpr VerbRule err_rule{"-err", Verb::err, true};

constexpr bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

// The only verb that the input can still be; it may turn out to be none.
const VerbRule* rule_for(std::string_view input) {
  switch (lower(input[0])) {
    case 'p':
      switch (input.size() > 1 ? lower(input[1]) : 'u') {
        case 'u':
          return &pub_rule;
        case 'i':
          return &ping_rule;
        case 'o':
          return &pong_rule;
        default:
          return nullptr;
      }
    case 'h':
      return &hpub_rule;
    case 's':
      return &sub_rule;
    case 'u':
      return &unsub_rule;
    case 'c':
      return &connect_rule;
    case 'i':
      return &info_rule;
    case '+':
      return &ok_rule;
    case '-':
      return &err_rule;
    default:
      return nullptr;
  }
}

// Whether the verb, as far as it is there, is the rule's. It is judged by its first bytes, as they
// come: whoever speaks TLS or HTTP to us is not made to wait for a line end that he may never send.
bool begins_as(const VerbRule& rule, std::string_view input) {
  const size_t bytes = std::min(input.size(), rule.name.size());
  for (size_t i = 0; i < bytes; i++) {
    if (lower(input[i]) != rule.name[i]) return false;
  }
  return !rule.blank_follows || input.size() <= rule.name.size() ||
         is_blank(input[rule.name.size()]);
}

std::string_view without_carriage_return(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string_view without_leading_blanks(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  return line;
}

Refusal read_sub(const Words& words, Command& out) {
  if (!words.clean || words.count < 2 || words.count > 3) return Refusal::protocol_violation;
  out.kind = CommandKind::sub;
  out.subject = words.at[0];
  out.queue = words.count == 3 ? words.at[1] : std::string_view();
  out.sid = words.at[words.count - 1];
  return Refusal::none;
}

Refusal read_unsub(const Words& words, Command& out) {
  if (!words.clean || words.count < 1 || words.count > 2) return Refusal::protocol_violation;
  std::optional<uint32_t> max = 0;
  if (words.count == 2) max = read_decimal(words.at[1]);
  if (!max) return Refusal::invalid_unsub_max;
  out.kind = CommandKind::unsub;
  out.sid = words.at[0];
  out.max = *max;
  return Refusal::none;
}

Step step_unless(Refusal refusal, size_t line_bytes) {
  return refusal == Refusal::none ? step_over(line_bytes) : refuse(refusal);
}

Step step_as(CommandKind kind, size_t line_bytes, Command& out) {
  out.kind = kind;
  return step_over(line_bytes);
}

}  // namespace

Step Parser::next_hpub(std::string_view input, Command& out) {
  size_t consumed_bytes;
  if (headers_allowed_ && next_plain<CommandKind::hpub>(input, out, consumed_bytes)) {
    return step_over(consumed_bytes);
  }
  return next_any(input, out);
}

Step Parser::next_any(std::string_view input, Command& out) {
  assert(scanned_bytes_ <= input.size());  // The caller brings back what we did not consume.
  const Step step = next_line(input, out);
  if (step.kind != StepKind::need_more) scanned_bytes_ = 0;
  return step;
}

Step Parser::next_line(std::string_view input, Command& out) {
  if (input.empty()) return need(1);
  const VerbRule* const rule = rule_for(input);
  if (rule == nullptr || !begins_as(*rule, input)) return refuse(Refusal::unknown_operation);
  const size_t verb_bytes = rule->name.size();
  if (input.size() < verb_bytes + rule->blank_follows) return need(input.size() + 1);
  if (rule->verb == Verb::err) return refuse(Refusal::parse_error);

  // The limit comes before all else that can be wrong with a line. It is the only thing that can be
  // seen before the line ends; any other order would let the cuts decide what the peer is told.
  const bool blanks_lead = rule->blank_follows || rule->verb == Verb::connect;
  const size_t search_end =
      std::min(input.size(), line_bytes_max({control_line_bytes_max_, payload_bytes_max_}));
  const size_t search_at = std::clamp<size_t>(scanned_bytes_, verb_bytes, search_end);
  const void* const found = std::memchr(input.data() + search_at, '\n', search_end - search_at);
  if (found == nullptr) {
    if (overlong(without_carriage_return(input.substr(verb_bytes)), blanks_lead)) {
      return refuse(Refusal::control_line_exceeded);
    }
    scanned_bytes_ = uint32_t(input.size());
    return need(input.size() + 1);
  }
  const size_t newline = size_t(static_cast<const char*>(found) - input.data());
  const std::string_view tail =
      without_carriage_return(input.substr(verb_bytes, newline - verb_bytes));
  if (overlong(tail, blanks_lead)) return refuse(Refusal::control_line_exceeded);

  const size_t line_bytes = newline + 1;
  const char* const input_end = input.data() + input.size();
  switch (rule->verb) {
    case Verb::pub:
      return read_pub(input, tail, line_bytes, out);
    case Verb::hpub:
      return read_hpub(input, tail, line_bytes, out);
    case Verb::sub:
      return step_unless(read_sub(split_words(tail, input_end), out), line_bytes);
    case Verb::unsub:
      return step_unless(read_unsub(split_words(tail, input_end), out), line_bytes);
    case Verb::ping:
      return step_as(CommandKind::ping, line_bytes, out);
    case Verb::pong:
      return step_as(CommandKind::pong, line_bytes, out);
    case Verb::info:
    case Verb::ok:
      return step_as(CommandKind::ignored, line_bytes, out);
    case Verb::connect:
      out.document = without_leading_blanks(tail);
      return step_as(CommandKind::connect, line_bytes, out);
    case Verb::err:
      break;
  }
  __builtin_unreachable();
}

Step Parser::read_pub(std::string_view input, std::string_view arguments, size_t line_bytes,
                      Command& out) {
  const Words words = split_words(arguments, input.data() + input.size());
  if (!words.clean || words.count < 2 || words.count > 3) {
    return refuse(Refusal::protocol_violation);
  }
  const std::optional<uint32_t> message_bytes = read_decimal(words.at[words.count - 1]);
  if (!message_bytes) return refuse(Refusal::protocol_violation);

  out.kind = CommandKind::pub;
  out.subject = words.at[0];
  out.reply = words.count == 3 ? words.at[1] : std::string_view();
  out.header_bytes = 0;
  return read_message(input, line_bytes, *message_bytes, out);
}

Step Parser::read_hpub(std::string_view input, std::string_view arguments, size_t line_bytes,
                       Command& out) {
  if (!headers_allowed_) return refuse(Refusal::headers_not_negotiated);
  const Words words = split_words(arguments, input.data() + input.size());
  if (!words.clean || words.count < 3 || words.count > 4) {
    return refuse(Refusal::protocol_violation);
  }
  const std::optional<uint32_t> header_bytes = read_decimal(words.at[words.count - 2]);
  const std::optional<uint32_t> message_bytes = read_decimal(words.at[words.count - 1]);
  if (!header_bytes || !message_bytes || *header_bytes > *message_bytes) {
    return refuse(Refusal::protocol_violation);
  }

  out.kind = CommandKind::hpub;
  out.subject = words.at[0];
  out.reply = words.count == 4 ? words.at[1] : std::string_view();
  out.header_bytes = *header_bytes;
  return read_message(input, line_bytes, *message_bytes, out);
}

// What follows the line of PUB and HPUB. A size that is too large is refused before its first byte
// is waited for, and a wrong byte at the message's end as soon as it is there.
Step Parser::read_message(std::string_view input, size_t line_bytes, size_t message_bytes,
                          Command& out) {
  if (message_bytes > payload_bytes_max_) return refuse(Refusal::payload_exceeded);
  const size_t message_end = line_bytes + message_bytes;
  const std::string_view rest = input.substr(std::min(message_end, input.size()), line_end_bytes);
  if (!std::string_view("\r\n").starts_with(rest)) return refuse(Refusal::unknown_operation);
  if (rest.size() < line_end_bytes) {
    scanned_bytes_ = uint32_t(line_bytes - 1);  // Where the LF is.
    return need(message_end + line_end_bytes);
  }
  out.message = input.substr(line_bytes, message_bytes);
  return step_over(message_end + line_end_bytes);
}

// Whether the line, as far as it is there, has too much after its verb.
bool Parser::overlong(std::string_view tail, bool blanks_lead) const {
  const size_t limit = control_line_bytes_max_;
  if (tail.size() <= limit) return false;  // The usual case needs no look at blanks.
  if (!blanks_lead || tail.size() > 2 * limit) return true;
  return without_leading_blanks(tail).size() > limit;
}

}  // namespace peal::protocol
