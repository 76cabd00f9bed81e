#pragma once
// What a server said in a session, and whether two servers said the same. Here is what may differ
// between any two servers, and between nats-server and Peal by the table of docs/protocol.md.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/differential/session.hpp"
#include "tests/differential/setting.hpp"

namespace peal::differential {

/// One line of a server, with the message that follows it if it is one.
struct Reply {
  std::string line;  // Without its end.
  std::string message;
};

struct Transcript {
  /// By step, then client. The last is what came when all had ended their side.
  std::vector<std::vector<std::vector<Reply>>> steps;
  std::string trouble;  // Why it was not played to its end.

  bool operator==(const Transcript&) const = default;
};

/// Takes the next reply off `bytes`; false when it is not all there yet.
bool take_reply(std::string& bytes, Reply& reply);

/// What has to be the same, as text, a step a line. Left out are what the player has looked after
/// (PING, INFO), and:
///   - which member of a queue group got a message,
///   - the order of one message's copies to subscriptions of one client,
///   - when a requester is told that nobody answers, and by which of several subscriptions on its
///     reply subject.
std::vector<std::string> comparable(const Session& session, const Transcript& transcript);

/// The row of docs/protocol.md that explains why nats-server and Peal may differ about the last
/// step of this session; empty if there is none.
std::string_view rule_for(const Session& session);

/// Whether the two differ before the last step, or about anything that no rule explains.
struct Verdict {
  bool same = true;
  std::string_view rule;  // The servers differ, and may.
};
Verdict compare(const Session& session, const Transcript& one, const Transcript& other,
                bool reference);

/// The row that explains why `one`, which is nats-server, may differ about users with permissions.
/// `lists` are those of the account that the session was played in.
std::string_view rule_for_permissions(const Session& session, const Transcript& one,
                                      const Transcript& other,
                                      std::span<const SubscribeLists> lists);

}  // namespace peal::differential
