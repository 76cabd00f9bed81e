#pragma once
// Brings each message to everyone who asked for it: to connections of this shard through their
// outboxes, to those of other shards as one record a shard, whatever the number of subscribers
// there. Who may be given a message Shard::receiver_of() says. It knows plans, outboxes and links;
// it must never know a descriptor.
//
// One thread at a time: whoever runs the shard.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "protocol/command.hpp"
#include "protocol/parser.hpp"
#include "server/interest.hpp"
#include "server/message.hpp"
#include "server/message_run.hpp"
#include "server/open_requests.hpp"
#include "server/record.hpp"
#include "server/route.hpp"

namespace peal::server {

class Connection;
class Outbox;
class Shard;

class Router {
 public:
  /// A message of so many bytes or more is sent and handed over by reference, not by copy.
  /// Less where mailboxes are small.
  static constexpr size_t reference_bytes_max = 16 * 1024;
  /// A run of so many bytes or more goes to other shards as the place where it lies; what is less
  /// is not worth the waiting for their having read it. Less where mailboxes are small.
  static constexpr size_t in_place_bytes_max = 4 * 1024;

  /// A stretch ends when it would have more.
  static constexpr size_t stretch_bytes_max = 16 * 1024;

  /// A publisher that is held for one of several subscribers reads this seldom: one receive cap
  /// each time, which is its floor.
  static constexpr uint16_t stall_ms = 10;

  Router(Shard& shard, uint64_t seed);

  /// False when a mailbox has no room for it: then nothing was delivered to anyone, and the
  /// connection is to try again when the shard resumes it. The command lies in line if the parser
  /// gave it as it stands in what was received.
  bool publish(Connection& publisher, const protocol::Command& command, bool lies_in_line);

  /// The same for messages on one subject, such as came by the same control line as the last, as
  /// most do. The publisher's memo is of that subject, or of none. Returns how many were taken: all
  /// of them, unless the publisher has to wait or is closed.
  size_t publish_again(Connection& publisher, std::string_view subject, const MessageRun& run);

  /// A publisher of this shard is to be held for a subscriber of that one.
  void on_hold(ShardId there, const StallRecord& record);

  /// Tells those whom it may concern that nobody here is slow any more.
  void end_turn();

  /// The end of what was published, for now: who is next does not lie behind it.
  void end_stretch() {
    if (stretch_.messages > 0) hand_over_stretch();
  }

  /// A record from another shard: everyone here whom it concerns gets it. Returns how many messages
  /// it was.
  size_t on_record(ShardId from, std::string_view record);

  /// Parts of a request that a connection of this shard has made reached nobody. It is told when no
  /// other part did.
  void on_no_responders(const NoRespondersHead& notice, std::string_view subject,
                        std::string_view reply);

  /// Payload that nobody is sent, kept for the next runs: 1 MiB at most.
  size_t kept_bytes() const;

 private:
  /// What became of a message here.
  struct Given {
    uint32_t messages = 0;
    uint16_t hold_ms = 0;  // So long its publisher is to be held for the slowest who got it.
  };

  /// A subscriber of another shard, or of this one, gets a subject alone and is slow, and a crowd
  /// publishes on it. For a moment all who do so are stopped behind a bite, so that it is known
  /// whom to hold before he has said much. The last such subject of each shard is known.
  struct Pressure {
    uint32_t publisher = 0;  // Its slot; who came first.
    AccountId account = global_account;
    bool is_crowd = false;
    uint16_t hold_ms = 0;  // 0: no more.
    int64_t until_ns = 0;
    std::string subject;
  };

  /// Messages that lie one behind the other where they were received, for the same other shards.
  struct Stretch {
    const Connection* publisher = nullptr;
    const char* begin = nullptr;
    const char* end = nullptr;
    uint32_t messages = 0;  // 0: there is none.
    bool sole = false;      // One shard gets them alone, and nobody here.
  };

  /// The way round the members of a queue group, who share a run.
  struct Round {
    uint64_t version = 0;  // Of the route that it is of.
    size_t place = 0;      // Of the next: members here, then those elsewhere.
    size_t slices = 0;     // After that one's.
    size_t left = 0;       // Messages of that one's; 0: it is no round.
  };

  /// What one other shard gets of a message.
  struct Target {
    bool plain = false;
    size_t groups_bytes = 0;
    std::vector<std::string_view> groups;
  };

  const Plan& plan_for(RouteMemo& memo, AccountId account, std::string_view subject,
                       bool remembers);
  Given deliver_plain(const Plan& plan, const Message& message, const Connection* publisher,
                      bool sole);
  void deliver(Connection& receiver, Subscription& subscription, const Message& message, bool sole,
               Given& given);
  uint16_t settle(Connection& receiver, bool sole, size_t bytes);
  size_t publish_run(Connection& publisher, RouteMemo& memo, MessageRun run);
  void press(ShardId there, Connection& publisher, uint16_t hold_ms);
  bool is_pressed_by(const Pressure& pressure, Connection& publisher) const;
  bool is_pressed(ShardId there, Connection& publisher) const {
    return pressures_[there].is_crowd && is_pressed_by(pressures_[there], publisher);
  }
  size_t bite_of(ShardId there) const;
  void bite(Connection& publisher, ShardId there, size_t bytes);
  /// Whether it may be given several messages at once: none of them is its last.
  static bool takes_several(const RouteMemo& memo, const Subscription& subscription) {
    return subscription.delivered_max == 0 && memo.keeps_head(subscription.sid());
  }
  std::optional<size_t> receivers_of_run(const RouteMemo& memo, const Connection* publisher) const;
  uint16_t deliver_run(RouteMemo& memo, const MessageRun& run, const Connection* publisher,
                       bool sole);
  uint16_t deliver_part(RouteMemo& memo, const MessageRun& part, const Connection* publisher,
                        bool sole);
  uint16_t give_part(RouteMemo& memo, Subscription& subscription, const MessageRun& part,
                     bool sole);
  uint16_t count_part(Connection& receiver, Subscription& subscription, const MessageRun& part,
                      size_t bytes, bool sole);
  struct PartLayout;
  void append_laid(Outbox& outbox, std::string_view sid, const PartLayout& laid,
                   const MessageRun& part);
  void append_part(Outbox& outbox, std::string_view head, const MessageRun& part);
  void append_batches(Outbox& outbox, std::string_view sid, std::string_view subject,
                      const MessageRun& part);
  core::BlockRef take_part_block();
  bool stretch_over(Connection& publisher, const Plan& plan, const protocol::Command& command);
  bool goes_on(std::span<const ShardId> shards, const char* begin, const char* end, bool sole);
  bool may_begin(Connection& publisher, std::span<const ShardId> shards, const char* begin,
                 const char* end);
  void hand_over_stretch();
  size_t on_lines(ShardId from, const MessageHead& head, std::string_view content);
  size_t on_short_record(ShardId from, const MessageHead& head, std::string_view content);
  const Plan& lane_plan(ShardId from, const MessageHead& head, std::string_view subject);
  void deliver_record(const Plan& plan, const MessageHead& head, const MessageExtension& extension,
                      std::string_view groups, const Message& message);
  bool stays_in_place(const RouteMemo& memo, const MessageRun& run) const;
  bool hand_over_in_place(const Connection& publisher, const RouteMemo& memo, const MessageRun& run,
                          bool sole);
  void hand_over_run(const Connection& publisher, const RouteMemo& memo, const MessageRun& run,
                     bool sole);
  Round begin_round(const RouteMemo& memo, size_t messages);
  static bool take_slices(const RouteMemo& memo, std::span<Subscription* const> members);
  size_t publish_slice(Connection& publisher, RouteMemo& memo, const MessageRun& run, Round& round);
  ShardId shard_of(const QueuePlan& group, size_t place) const;
  size_t hand_over_slice(Connection& publisher, const RouteMemo& memo, ShardId to,
                         MessageRun slice);
  size_t deliver_slices(RouteMemo& memo, std::string_view group, const MessageRun& run,
                        uint16_t& hold_ms);
  Subscription* pick_here(const QueuePlan& group, const Connection* publisher);
  ShardId pick_elsewhere(const QueuePlan& group);
  ShardId next_elsewhere(const QueuePlan& group) const;
  void pick_members(const Plan& plan, const Connection& publisher, const Message& message);
  bool has_room(Connection& publisher, const Message& message);
  void drop_groups_beyond_record(Target& target, const Message& message);
  void hand_over(const Connection& publisher, const Message& message, uint64_t route_version,
                 bool nobody_here);
  void hand_over_short(ShardId to, const MessageHead& head, const Message& message,
                       uint64_t route_version);
  void hand_over_long(const MessageHead& head, const Message& message, uint64_t route_version);
  bool reroute(const QueuePlan* group, std::string_view name, const MessageHead& head,
               MessageExtension extension, const Message& message);
  void hold(Connection& publisher, bool sole, uint16_t hold_ms);
  void hold_for_sole(ShardId there, Connection& publisher, uint16_t hold_ms);
  void hold_back(ShardId origin, const MessageHead& head, bool sole, uint16_t hold_ms);
  uint32_t parts_handed_over() const;
  void answer_no_responders(Connection& requester, std::string_view subject,
                            std::string_view reply);
  void report_lost(const MessageExtension& extension, const MessageHead& head,
                   const Message& message, uint32_t parts);

  Shard& shard_;
  core::Random random_;
  const size_t reference_bytes_;
  const size_t in_place_bytes_;
  const size_t stretch_bytes_;
  uint64_t routes_remembered_ = 0;
  Stretch stretch_;
  std::vector<ShardId> stretch_shards_;  // That get it.
  protocol::Parser lines_parser_{{protocol::number_max, protocol::number_max}};
  OpenRequests open_requests_;
  std::vector<core::BlockRef> part_blocks_;  // Of deliver_part(), kept for the next.
  // By the shard that records come from: the route that was named last, and that of the last lines.
  std::unique_ptr<RouteMemo[]> lane_memos_;
  std::unique_ptr<RouteMemo[]> lines_memos_;

  std::vector<Pressure> pressures_;  // By shard.
  size_t bitten_bytes_ = 0;          // In this turn, by those who are part of a crowd.
  bool presses_ = false;             // One here is slow:
  uint32_t slow_slot_ = 0;
  uint32_t slow_generation_ = 0;

  // Of the message being published; kept for their capacity.
  std::vector<Subscription*> picks_;   // Members of queue groups, here.
  std::span<const ShardId> targeted_;  // Shards that get a record: the plan's, or queue_targets_.
  std::vector<ShardId> queue_targets_;
  std::vector<Target> targets_;   // What it says, where queue groups are involved.
  bool plain_everywhere_ = true;  // No queue group is, so it says the same to all.
};

}  // namespace peal::server
