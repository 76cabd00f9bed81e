#include "protocol/error.hpp"

#include <array>
#include <cassert>
#include <cstddef>

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
    RefusalFacts{Refusal::invalid_client_protocol, "invalid client protocol", true,
                 "Bad Client Protocol Version"},
    RefusalFacts{Refusal::no_responders_requires_headers, "no responders requires headers support",
                 true, "No Responders Requires Headers"},
    RefusalFacts{Refusal::authorization_violation, "Authorization Violation", true,
                 "Authentication Failure"},
    RefusalFacts{Refusal::authentication_timeout, "Authentication Timeout", true,
                 "Authentication Timeout"},
    RefusalFacts{Refusal::user_authentication_expired, "User Authentication Expired", true,
                 "Authentication Expired"},
    RefusalFacts{Refusal::account_authentication_expired, "Account Authentication Expired", true,
                 "Authentication Expired"},
    RefusalFacts{Refusal::account_registration_failed, "Failed Account Registration", true,
                 "Missing Account"},
    RefusalFacts{Refusal::secure_connection_required, "Secure Connection - TLS Required", true,
                 "TLS Handshake Failure"},
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
    line += detail;
    text.remove_prefix(gap + 2);
  }
  assert(text.find("{}") == text.npos);
  line += text;
  line += "'\r\n";
  return line;
}

}  // namespace peal::protocol
