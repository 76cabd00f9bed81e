// Who of a queue group gets a message, and what its members get of a run.

#include <algorithm>
#include <cassert>
#include <span>

#include "protocol/writer.hpp"
#include "server/message_record.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"
#include "server/slices.hpp"

namespace peal::server {

// Chooses who of each group gets the message, before anything is promised: a member here is asked
// whether it can, a member elsewhere is the other shard's to choose.
void Router::pick_members(const Plan& plan, const Connection& publisher, const Message& message) {
  for (Target& target : targets_) {
    target.plain = false;
    target.groups_bytes = 0;
    target.groups.clear();
  }
  for (const ShardId to : plan.shards) targets_[to].plain = true;
  for (const QueuePlan& group : plan.queues) {
    const auto here = static_cast<uint32_t>(group.here.size());
    const uint32_t all = here + group.members_elsewhere;
    Subscription* member = nullptr;
    if (all > 0 && random_.below(all) < here) member = pick_here(group, &publisher);
    if (member == nullptr && group.members_elsewhere == 0) member = pick_here(group, &publisher);
    if (member != nullptr) {
      picks_.push_back(member);
    } else if (group.members_elsewhere > 0) {
      Target& target = targets_[pick_elsewhere(group)];
      target.groups.push_back(group.name);
      target.groups_bytes += group_bytes(group.name);
    }
  }
  queue_targets_.clear();
  for (ShardId to = 0; to < targets_.size(); to++) {
    Target& target = targets_[to];
    if (!target.plain && target.groups.empty()) continue;
    drop_groups_beyond_record(target, message);
    queue_targets_.push_back(to);
  }
  targeted_ = queue_targets_;
}

// Every member has the same chance, but for those behind one that cannot take it now: to go on from
// a random place is cheaper than to ask all of them first.
Subscription* Router::pick_here(const QueuePlan& group, const Connection* publisher) {
  const auto members = static_cast<uint32_t>(group.here.size());
  if (members == 0) return nullptr;
  const uint32_t first = random_.below(members);
  for (uint32_t i = 0; i < members; i++) {
    const uint32_t at = first + i < members ? first + i : first + i - members;
    if (shard_.receiver_of(*group.here[at], publisher) != nullptr) return group.here[at];
  }
  return nullptr;
}

// A shard is chosen by how many members it has, so that all members have the same chance.
ShardId Router::pick_elsewhere(const QueuePlan& group) {
  assert(group.members_elsewhere > 0);
  return shard_of(group, random_.below(group.members_elsewhere));
}

// Of the member at this place among those elsewhere.
ShardId Router::shard_of(const QueuePlan& group, size_t place) const {
  for (const QueuePlan::Elsewhere& elsewhere : group.elsewhere) {
    if (place < elsewhere.members) return elsewhere.shard;
    place -= elsewhere.members;
  }
  __builtin_unreachable();
}

// The next of the shards that have members, going round: whoever asks all of them finds one that
// can take the message, where chance might not.
ShardId Router::next_elsewhere(const QueuePlan& group) const {
  assert(!group.elsewhere.empty());
  for (const QueuePlan::Elsewhere& elsewhere : group.elsewhere) {
    if (elsewhere.shard > shard_.id()) return elsewhere.shard;
  }
  return group.elsewhere.front().shard;
}

void Router::drop_groups_beyond_record(Target& target, const Message& message) {
  while (!target.groups.empty() &&
         record_bytes(message, target.groups_bytes) > shard_.link().record_bytes_max()) {
    target.groups_bytes -= group_bytes(target.groups.back());
    target.groups.pop_back();
    shard_.stats().queue_groups_dropped++;
  }
}

// ---- Runs for a group that alone gets them.

// Each member in turn, from a random one on: nobody gets more than his part of a run. One that is
// shorter than twice round goes message by message, as chance has it; and so does all, if there is
// a member who would be passed over otherwise.
Router::Round Router::begin_round(const RouteMemo& memo, size_t messages) {
  const QueuePlan& group = memo.plan().queues.front();
  const size_t members = group.here.size() + group.members_elsewhere;
  Round round;
  round.version = memo.version();
  if (members == 0 || messages < 2 * members || !take_slices(memo, group.here)) return round;
  round.place = random_.below(static_cast<uint32_t>(members));
  round.left = next_slice(messages, members, round.slices);
  return round;
}

bool Router::take_slices(const RouteMemo& memo, std::span<Subscription* const> members) {
  return std::ranges::all_of(
      members, [&](const Subscription* member) { return takes_several(memo, *member); });
}

// What the next member gets of the run. 0 when something is unusual, and publish() is to look at
// the next message; or when the publisher waits for room.
size_t Router::publish_slice(Connection& publisher, RouteMemo& memo, const MessageRun& run,
                             Round& round) {
  if (round.version != memo.version()) round = begin_round(memo, run.count);
  if (round.left == 0 || shard_.tracing()) return 0;
  const QueuePlan& group = memo.plan().queues.front();
  const size_t here = group.here.size();
  MessageRun slice = run.front(std::min(run.count, round.left));
  if (round.place >= here) {
    slice.count = hand_over_slice(publisher, memo, shard_of(group, round.place - here), slice);
    if (slice.count == 0) return 0;
    publisher.count_in(slice.count, slice.count * slice.size);
  } else if (Subscription& member = *group.here[round.place];
             shard_.receiver_of(member, &publisher) != nullptr) {
    slice.count = std::min(slice.count, shard_.budget().room_in_share(work_of(slice.size), 0));
    publisher.count_in(slice.count, slice.count * slice.size);
    constexpr bool sole = true;
    const uint16_t hold_ms = give_part(memo, member, slice, sole);
    if (hold_ms > 0) hold(publisher, sole, hold_ms);
  } else {
    slice.count = 0;
    round.left = 0;
  }
  round.left -= slice.count;
  if (round.left == 0 && slice.count < run.count) {
    const size_t members = here + group.members_elsewhere;
    round.place = (round.place + 1) % members;
    round.left = next_slice(run.count - slice.count, members, round.slices);
  }
  if (shard_.budget().share_is_full()) publisher.wait_for_share();
  return slice.count;
}

// To those of the group that are there, whoever that shard chooses: as many as there is room for. 0
// when there is none, and the publisher waits.
size_t Router::hand_over_slice(Connection& publisher, const RouteMemo& memo, ShardId to,
                               MessageRun slice) {
  ShardLink& link = shard_.link();
  const std::string_view group = memo.plan().queues.front().name;
  const size_t head_bytes = sizeof(MessageHead) + sizeof(MessageExtension) + group_bytes(group);
  const size_t named_bytes = head_bytes + memo.subject().size();
  slice.count = std::min({slice.count, link.credit(to, slice.count),
                          shard_.budget().room_in_share(0, link.price(to))});
  core::BufferHold* hold = nullptr;
  if (slice.count * slice.content_bytes() >= in_place_bytes_ &&
      link.has_room(to, named_bytes + sizeof(InPlacePart))) {
    hold = shard_.reactor().hold(slice.first);
  }
  if (hold == nullptr) {
    const size_t content_bytes_max =
        link.record_bytes_max() - std::min(named_bytes, link.record_bytes_max());
    slice.count = std::min(slice.count, content_bytes_max / slice.content_bytes());
    while (slice.count > 0 &&
           !link.has_room(to, named_bytes + slice.count * slice.content_bytes())) {
      slice.count /= 2;
    }
    if (slice.count == 0) {
      shard_.park(publisher, to, named_bytes + slice.content_bytes());
      return 0;
    }
  }
  const size_t content_bytes = slice.count * slice.content_bytes();
  const RouteRepeat repeat = link.repeats_route(to, memo.version());
  const std::string_view subject =
      repeat == RouteRepeat::same ? std::string_view() : memo.subject();
  char* const record = link.append(
      to, head_bytes + subject.size() + (hold != nullptr ? sizeof(InPlacePart) : content_bytes),
      slice.count);

  MessageHead& head =
      write_run_head(record, publisher, memo, slice,
                     message_run | message_extended | message_sole | flags_of(repeat));
  MessageExtension extension;
  extension.groups_bytes = static_cast<uint32_t>(group_bytes(group));
  extension.origin_shard = shard_.id();
  char* out = put(record + sizeof head, &extension, sizeof extension);
  out = protocol::write_text(write_groups(out, {&group, 1}), subject);
  if (hold != nullptr) {
    head.flags |= message_in_place;
    link.told_much(to);
    const InPlacePart part = in_place_part(hold, slice);
    put(out, &part, sizeof part);
  } else {
    copy_run(out, {}, slice);
  }
  shard_.stats().messages_to_shards++;
  shard_.budget().spend_elsewhere(slice.count * link.price(to));
  return slice.count;
}

// Of a run for that group, from another shard. Returns how many were given; the next one has to be
// looked at by itself. REQUIRES that the memo is of the run's route, if it is of any.
size_t Router::deliver_slices(RouteMemo& memo, std::string_view group, const MessageRun& run,
                              uint16_t& hold_ms) {
  if (!memo.holds(shard_.interest().epoch()) || shard_.tracing()) return 0;
  const std::span<const QueuePlan> queues = memo.plan().queues;
  if (queues.empty() || queues.front().name != group) return 0;
  const std::span<Subscription* const> members = queues.front().here;
  if (members.empty() || !take_slices(memo, members)) return 0;
  size_t slices = 0;
  size_t place = random_.below(static_cast<uint32_t>(members.size()));
  size_t done = 0;
  for (size_t passed = 0; done < run.count && passed < members.size();) {
    Subscription& member = *members[place++ % members.size()];
    if (shard_.receiver_of(member, nullptr) == nullptr) {
      passed++;
      continue;
    }
    passed = 0;
    const MessageRun rest = run.behind(done);
    const MessageRun slice = rest.front(next_slice(rest.count, members.size(), slices));
    constexpr bool sole = true;
    hold_ms = std::max(hold_ms, give_part(memo, member, slice, sole));
    done += slice.count;
  }
  return done;
}

}  // namespace peal::server
