#pragma once
// What the server promises, held against what its clients saw. It knows every subscription and
// message of a simulation, when each left its client and when a PONG covered it; it must never know
// how the server works. What is checked, by the numbers of the promises in docs/protocol.md:
//
//   at every delivery   1  order of a publisher's messages on each subscription; none twice; one
//                          delivery in a queue group
//                       3  nothing comes later than a PONG that should have followed it; nothing
//                       after
//                          the PONG that follows UNSUB
//                       5  never more than UNSUB's maximum
//                       -  subject, reply, headers and payload are those that were published
//   at every reply      -  PONG and +OK in the order of what they answer
//   at the end          2  every message that was owed has come: owed to a plain subscription, to
//   one
//                          of a queue group's members, as a 503
//                       4  a subscription counts for messages that were published after it in the
//                          sense of cause and effect, through any number of clients, PONG or not
//
// "After" is exact. A PONG that was read before the last byte of a PUB was written is before it.
// Cause and effect are vector clocks: each client counts its commands, each message carries what
// its publisher knew of everybody's.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/sim/identity.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

bool matches(std::string_view filter, std::string_view subject);

struct Message {
  uint32_t id = 0;
  uint32_t publisher = 0;
  uint32_t command = 0;  // Its number among its publisher's.
  std::string subject;
  std::string reply;
  std::string headers;  // Empty, or the block with its empty line.
  std::string payload;
  bool wants_no_responders = false;
  std::vector<uint16_t> knows;  // Of each client: how many of its commands came before this.

  Time written = never;  // Its last byte.
  Time flushed = never;  // The PONG after it.
  Time refused = never;  // The 503.
  uint64_t denial = 0;   // That was in force everywhere when it had been written.
  uint32_t deliveries = 0;

  // For scripts: how often a request was passed on.
  uint32_t hops = 0;
};

struct Subscription {
  uint32_t id = 0;
  uint32_t client = 0;
  uint32_t command = 0;
  std::string sid;
  std::string filter;
  std::string queue;
  std::string group;  // The queue's name and whose it is.

  Time fenced = never;  // The PONG after SUB.
  bool unsubscribed = false;
  uint32_t unsub_command = UINT32_MAX;
  Time unsub_written = never;
  Time unsub_fenced = never;
  uint32_t max = 0;
  uint32_t max_command = UINT32_MAX;
  bool max_fenced = false;
  uint32_t limit = UINT32_MAX;  // What may have been delivered at most, once that is certain.
  uint32_t delivered = 0;       // 503s count for nothing, as in nats-server.

  bool got(uint32_t message) const {
    return message / 64 < got_.size() && (got_[message / 64] >> message % 64 & 1) != 0;
  }
  void take(uint32_t message) {
    if (message / 64 >= got_.size()) got_.resize(message / 64 + 1);
    got_[message / 64] |= uint64_t{1} << message % 64;
  }

 private:
  std::vector<uint64_t> got_;
};

struct PartyOptions {
  bool verbose = false;
  bool echo = true;
  bool headers = true;
  bool no_responders = false;
  User user = User::ann;
  bool may_be_cut_off = false;  // It gives the server a reason, such as not reading.
};

enum class Gone : uint8_t { no, by_client, by_network, by_server };

/// One client, as the oracle knows it.
struct Party {
  uint32_t id = 0;
  PartyOptions options;
  const Link* link = nullptr;
  Gone gone = Gone::no;
  Time gone_at = never;
  Time says_end_at = never;  // It half-closed: from here on it cannot count on anything.

  struct Ping {
    uint32_t command;
    Time written;
  };
  uint32_t commands = 0;
  std::vector<uint16_t> knows;
  std::deque<Ping> pings;     // Sent, not answered.
  std::vector<Ping> ponged;   // Answered; both numbers grow.
  std::deque<char> expected;  // Replies: P for PONG, K for +OK.

  struct Command {
    char kind;  // p: PUB, s: SUB, u: UNSUB, m: UNSUB with a maximum, i: PING.
    uint32_t number;
    uint32_t index;  // Of the message or subscription.
  };
  std::deque<Command> unwritten;
  std::deque<Command> unfenced;  // Written or not, before any PONG that was read.

  struct Sid {
    std::vector<uint32_t> subscriptions;  // Those that may still receive, oldest first.
    std::vector<uint32_t> last_from;      // By publisher: the last message, plus one.
  };
  std::unordered_map<std::string, Sid> sids;
};

/// A MSG or HMSG as it was read.
struct Delivery {
  std::string_view subject;
  std::string_view sid;
  std::string_view reply;
  std::string_view headers;
  std::string_view payload;
};

class Oracle {
 public:
  explicit Oracle(World& world);

  // ---- What clients do. Each returns at once; written() follows when the bytes have left.
  Party& add_party(const PartyOptions& options);
  Party& party(uint32_t id) { return *parties_[id]; }
  void connect(Party& party);
  Subscription& subscribe(Party& party, std::string_view sid, std::string_view filter,
                          std::string_view queue);
  void unsubscribe(Party& party, Subscription& subscription, uint32_t max);
  /// The payload is `payload_bytes` long and names the message if it is long enough; else the reply
  /// does. A subject that ends in a dot gets a last token that no other has.
  Message& publish(Party& party, std::string subject, std::string reply, std::string headers,
                   size_t payload_bytes);
  void ping(Party& party);
  void written(Party& party, uint32_t command);

  // ---- What clients see.
  struct Seen {
    const Message* message = nullptr;  // Of a 503: the request.
    Subscription* subscription = nullptr;
    bool refused = false;
  };
  Seen delivered(Party& party, const Delivery& delivery);
  void ponged(Party& party);
  void acknowledged(Party& party);
  void gone(Party& party, Gone how);

  /// Says the number of the denial that is in force on all shards, or 0.
  void set_rules(std::function<uint64_t()> denial) { denial_ = std::move(denial); }

  /// From now on the server may close whom it likes.
  void server_leaves() { server_leaves_ = true; }

  // ---- The end. Everybody who is not gone has flushed twice.
  void check_nothing_missing();

  Subscription& subscription(uint32_t id) { return *subscriptions_[id]; }
  const std::deque<Message>& messages() const { return messages_; }
  size_t pongs_owed(const Party& party) const { return party.pings.size(); }
  uint64_t deliveries() const { return deliveries_; }
  uint64_t refusals() const { return refusals_; }
  uint64_t owed_checked() const { return owed_checked_; }

 private:
  struct Group {
    std::vector<uint32_t> members;    // Subscriptions that ever were.
    std::vector<uint64_t> delivered;  // Messages, as a set.
    struct Leave {
      uint32_t subscription;
      Time from;
    };
    std::vector<Leave> leaves;
  };

  uint32_t next_command(Party& party, char kind, uint32_t index);
  void expect_ok(Party& party);
  uint32_t message_id_of(const Delivery& delivery) const;
  Seen refused(Party& party, const Delivery& delivery);
  Subscription& attribute(Party& party, const Message& message, std::string_view sid);
  void check_bytes(const Party& party, const Message& message, const Delivery& delivery);
  void check_order(Party& party, Subscription& subscription, const Message& message);
  void count(Subscription& subscription, const Message& message);
  void left(Subscription& subscription, Time from);
  bool leave_excuses(const Group& group, const Message& message) const;
  bool denial_excuses(const Group& group, const Message& message) const;
  bool may_lose_member(const Group& group) const;
  bool has_lost_member(const Group& group) const;

  /// The subscription was in force before the message was processed.
  bool sure(const Subscription& subscription, const Message& message) const;
  /// Of one account, and on a subject that nobody may be denied.
  bool concerns(const Subscription& subscription, const Message& message) const;
  void check_rules(const Party& party, const Message& message) const;
  bool is_own_echo(const Subscription& subscription, const Message& message) const;
  /// The message may have been put into this client's outbox and died there.
  bool may_have_swallowed(const Subscription& subscription, const Message& message) const;
  void check_plain(const Subscription& subscription);
  void check_group(const std::string& name, const Group& group);
  void check_refusals();

  std::string describe(const Message& message) const;
  std::string describe(const Subscription& subscription) const;

  World& world_;
  std::vector<std::unique_ptr<Party>> parties_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::deque<Message> messages_;
  std::unordered_map<std::string, Group> groups_;
  std::unordered_map<std::string, std::vector<uint32_t>> by_subject_;
  std::unordered_map<std::string, uint32_t> by_reply_;  // Requests, whose replies are unique.
  std::string noise_;
  struct Suspicion {
    std::string queue, kind, text;
  };
  std::vector<Suspicion> suspicions_;
  uint64_t deliveries_ = 0;
  uint64_t refusals_ = 0;
  uint64_t owed_checked_ = 0;
  bool server_leaves_ = false;
  std::function<uint64_t()> denial_ = [] { return 0; };
};

}  // namespace peal::sim
