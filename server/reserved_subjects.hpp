#pragma once
// Subjects that nats-server keeps for what servers say to each other and to themselves. A client
// may subscribe to them; what it may not publish to, or give as where to answer, differs. Peal
// follows, so that nobody comes to use here what would be refused there. It knows text alone.

#include <string_view>

namespace peal::server {

inline constexpr std::string_view gateway_subjects = "_GR_.";
inline constexpr std::string_view old_gateway_subjects = "$GR.";
inline constexpr std::string_view raft_subjects = "$NRG.";
inline constexpr std::string_view service_replies = "_R_.";
inline constexpr std::string_view acknowledgements = "$JS.ACK.";

/// Every message is asked: most are known by their first byte.
inline bool may_be_reserved(std::string_view subject) {
  return !subject.empty() && (subject.front() == '_' || subject.front() == '$');
}

inline bool goes_on_behind(std::string_view subject, std::string_view start) {
  return subject.size() > start.size() && subject.starts_with(start);
}

inline bool is_gateway_subject(std::string_view subject) {
  return goes_on_behind(subject, gateway_subjects) || goes_on_behind(subject, old_gateway_subjects);
}

/// Whether no client may publish to it.
inline bool is_reserved_subject(std::string_view subject) {
  return may_be_reserved(subject) &&
         (is_gateway_subject(subject) || subject.starts_with(raft_subjects));
}

/// Whether no client may publish with it as the reply. An empty one is none.
inline bool is_reserved_reply(std::string_view reply) {
  return may_be_reserved(reply) &&
         (reply.starts_with(service_replies) || is_gateway_subject(reply) ||
          goes_on_behind(reply, acknowledgements));
}

}  // namespace peal::server
