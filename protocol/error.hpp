#pragma once
// Each way in which a server turns a client down: the text of its -ERR, whether the connection
// ends, and what monitoring says of it. One table, in error.cpp. It knows texts; who is turned
// down, when, and how a connection is closed, it must never know.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace peal::protocol {

enum class Refusal : uint8_t {
  none,
  // The bytes are not the protocol.
  unknown_operation,
  parse_error,         // The client sent -ERR.
  protocol_violation,  // Arguments: their number, a size, a control byte, CONNECT's JSON.
  headers_not_negotiated,
  invalid_unsub_max,
  control_line_exceeded,
  payload_exceeded,
  // Of frames (binary_frame.hpp).
  invalid_frame,
  unknown_subject_alias,
  subject_aliases_exceeded,
  // CONNECT asks for what cannot be.
  invalid_client_protocol,
  no_responders_requires_headers,
  unsupported_framing,
  framing_fixed,
  // Who may.
  authorization_violation,
  authentication_timeout,
  // How many, how long, how fast.
  connections_exceeded,
  account_connections_exceeded,
  subscriptions_exceeded,
  stale_connection,
  connection_throttled,
  // Subjects. These take details, in the order in which they stand in the text.
  invalid_subject,
  invalid_publish_subject,
  publish_denied,              // subject
  publish_reply_denied,        // reply
  subscribe_denied,            // subject
  subscribe_queue_denied,      // subject, queue
  subscribe_tokens_denied,     // subject
  subscription_revoked,        // subject, sid
  subscription_queue_revoked,  // subject, queue, sid
};

struct RefusalFacts {
  Refusal refusal;
  std::string_view text;          // Of the -ERR, `{}` for each detail; empty: close without a word.
  bool closes;                    // Whether the connection ends.
  std::string_view close_reason;  // As in nats-server's connz and events; empty if it stays open.
};

const RefusalFacts& facts(Refusal refusal);

/// The whole line, `-ERR '...'` CR LF; empty for a refusal without text. `details` fill the `{}` of
/// the text and must hold no control byte: the parser has seen to that for what clients send.
std::string err_line(Refusal refusal, std::initializer_list<std::string_view> details = {});

}  // namespace peal::protocol
