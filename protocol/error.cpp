#include "protocol/error.hpp"

#include <array>
#include <cassert>
#include <cstddef>

#include "protocol/utf8.hpp"

namespace peal::protocol {
namespace {

constexpr std::array table{
    RefusalFacts{Refusal::none, "", false, ""},
    RefusalFacts{Refusal::unknown_operation, "Unknown Protocol Operation", true,
                 "Protocol Violation"},
    RefusalFacts{Refusal::parse_error, "", true, "Parse Error"},
    RefusalFacts{Refusal::protocol_violation, "", true, "Protocol Violation"},
    RefusalFacts{Refusal::headers_not_negotiated, "", true, "Protocol Violation"},
    // Ours. nats-server takes whatever it cannot read as "at once", and a subscription is gone
    // without a word. We cannot know how many messages were wanted; to keep the subscription or to
    // drop it would both be silent guesses, so this ends the connection, aloud.
    RefusalFacts{Refusal::invalid_unsub_max, "Invalid Unsubscribe Max", true, "Protocol Violation"},
    RefusalFacts{Refusal::control_line_exceeded, "maximum control line exceeded", true,
                 "Maximum Control Line Exceeded"},
    RefusalFacts{Refusal::payload_exceeded, "Maximum Payload Violation", true,
                 "Maximum Message Payload Exceeded"},
    // Ours, as is the framing. A slip in a length is hard enough to find with a word about it.
    RefusalFacts{Refusal::invalid_frame, "Invalid Frame", true, "Protocol Violation"},
    RefusalFacts{Refusal::unknown_subject_alias, "Unknown Subject Alias", true,
                 "Protocol Violation"},
    RefusalFacts{Refusal::subject_aliases_exceeded, "maximum subject aliases exceeded", true,
                 "Maximum Subject Aliases Exceeded"},
    RefusalFacts{Refusal::invalid_client_protocol, "invalid client protocol", true,
                 "Bad Client Protocol Version"},
    RefusalFacts{Refusal::no_responders_requires_headers, "no responders requires headers support",
                 true, "No Responders Requires Headers"},
    RefusalFacts{Refusal::unsupported_framing, "Unsupported Framing", true, "Unsupported Framing"},
    RefusalFacts{Refusal::framing_fixed, "Framing Cannot Change", true, "Protocol Violation"},
    RefusalFacts{Refusal::authorization_violation, "Authorization Violation", true,
                 "Authentication Failure"},
    RefusalFacts{Refusal::authentication_timeout, "Authentication Timeout", true,
                 "Authentication Timeout"},
    RefusalFacts{Refusal::connections_exceeded, "maximum connections exceeded", true,
                 "Maximum Connections Exceeded"},
    RefusalFacts{Refusal::account_connections_exceeded,
                 "maximum account active connections exceeded", true,
                 "Maximum Account Connections Exceeded"},
    RefusalFacts{Refusal::subscriptions_exceeded, "maximum subscriptions exceeded", false, ""},
    RefusalFacts{Refusal::stale_connection, "Stale Connection", true, "Stale Connection"},
    RefusalFacts{Refusal::connection_throttled,
                 "Connection throttling is active. Please try again later.", true,
                 "TLS Handshake Failure"},
    RefusalFacts{Refusal::invalid_subject, "Invalid Subject", false, ""},
    RefusalFacts{Refusal::invalid_publish_subject, "Invalid Publish Subject", false, ""},
    RefusalFacts{Refusal::publish_denied, "Permissions Violation for Publish to \"{}\"", false, ""},
    RefusalFacts{Refusal::publish_reply_denied,
                 "Permissions Violation for Publish with Reply of \"{}\"", false, ""},
    RefusalFacts{Refusal::subscribe_denied, "Permissions Violation for Subscription to \"{}\"",
                 false, ""},
    RefusalFacts{Refusal::subscribe_queue_denied,
                 "Permissions Violation for Subscription to \"{}\" using queue \"{}\"", false, ""},
    RefusalFacts{Refusal::subscribe_tokens_denied,
                 "Permissions Violation for Subscription to \"{}\", too many tokens", false, ""},
    RefusalFacts{Refusal::subscription_revoked,
                 "Permissions Violation for Subscription to \"{}\" (sid \"{}\")", false, ""},
    RefusalFacts{Refusal::subscription_queue_revoked,
                 "Permissions Violation for Subscription to \"{}\" using queue \"{}\" (sid \"{}\")",
                 false, ""},
};

// The table is indexed by the enumerator, so its order is the enumeration's.
constexpr bool in_order() {
  for (size_t i = 0; i < table.size(); i++) {
    if (table[i].refusal != Refusal(i)) return false;
  }
  return table.size() == size_t(Refusal::subscription_queue_revoked) + 1;
}
static_assert(in_order());

// As nats-server puts text between double quotes, which is Go's way: quotes and backslashes behind
// a backslash; what is no UTF-8, and those characters below U+0100 that cannot be seen, as digits.
void append_quoted(std::string& line, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  const auto append_digits = [&](std::string_view prefix, uint8_t byte) {
    line += prefix;
    line += digits[byte >> 4];
    line += digits[byte & 15];
  };
  while (!text.empty()) {
    const size_t bytes = utf8_character_bytes(text);
    const auto first = uint8_t(text[0]), second = uint8_t(text[bytes > 1]);
    if (first == '"' || first == '\\') line += '\\';
    if (bytes == 0 || first == 0x7f) {
      append_digits("\\x", first);
    } else if (first == 0xc2 && (second <= 0xa0 || second == 0xad)) {
      append_digits("\\u00", second);
    } else {
      line += text.substr(0, bytes);
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
}

}  // namespace

const RefusalFacts& facts(Refusal refusal) {
  assert(size_t(refusal) < table.size());
  return table[size_t(refusal)];
}

std::string err_line(Refusal refusal, std::initializer_list<std::string_view> details) {
  std::string_view text = facts(refusal).text;
  if (text.empty()) return {};

  std::string line = "-ERR '";
  for (const std::string_view detail : details) {
    const size_t gap = text.find("{}");
    assert(gap != text.npos);
    line += text.substr(0, gap);
    append_quoted(line, detail);
    text.remove_prefix(gap + 2);
  }
  assert(text.find("{}") == text.npos);
  line += text;
  line += "'\r\n";
  return line;
}

}  // namespace peal::protocol
