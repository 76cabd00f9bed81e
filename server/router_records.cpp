// What comes from another shard: everyone here whom a record concerns gets it.

#include <algorithm>
#include <cassert>

#include "protocol/headers.hpp"
#include "server/message_record.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

// A queue message is sent on so often by chance, and then once round: members would have to move
// from shard to shard faster than a message does, or all be such as may not see it.
constexpr uint32_t hops_max = 8;

/// Of the names behind a record's head.
bool has_several(std::string_view groups) {
  if (groups.empty()) return false;
  take(groups, take_head<uint32_t>(groups));
  return !groups.empty();
}

/// It has nothing but a subject behind its head, and a message.
bool is_short(const MessageHead& head) {
  return (head.flags & ~(message_sole | message_names_route | message_bare)) == message_plain;
}

}  // namespace

size_t Router::on_record(ShardId from, std::string_view record) {
  shard_.stats().messages_from_shards++;
  const MessageHead& head = message_head(record);
  record.remove_prefix(sizeof head);
  if (is_short(head)) return on_short_record(from, head, record);
  if ((head.flags & message_lines) != 0) return on_lines(from, head, record);
  RouteMemo& memo = lane_memos_[from];
  if (is_run(head) && memo.holds(shard_.interest().epoch())) [[likely]] {
    if (const auto receivers = receivers_of_run(memo, nullptr)) {
      const RecordedRun run(head, record);
      const bool sole = (head.flags & message_sole) != 0 && *receivers == 1;
      const uint16_t hold_ms =
          *receivers > 0 ? deliver_run(memo, run.messages(), nullptr, sole) : uint16_t{0};
      if (hold_ms > 0) hold_back(from, head, sole, hold_ms);
      return run.messages().count;
    }
  }
  MessageExtension extension;
  extension.origin_shard = from;
  std::string_view groups;
  protocol::Command text;
  text.reply = {};
  if ((head.flags & message_extended) != 0) {
    extension = take_head<MessageExtension>(record);
    groups = take(record, extension.groups_bytes);
    text.reply = take(record, extension.reply_bytes);
  }
  text.header_bytes = extension.header_bytes;
  if ((head.flags & message_same_subject) != 0) {
    text.subject = memo.subject();
  } else {
    text.subject = take(record, head.subject_bytes);
  }
  const Plan* plan = &lane_plan(from, head, text.subject);
  if (is_run(head) || (head.flags & message_run) != 0) {
    const RecordedRun run(head, record);
    const MessageRun& messages = run.messages();
    size_t i = 0;
    if (!groups.empty()) {
      assert((head.flags & (message_names_route | message_same_subject)) != 0);
      std::string_view names = groups;
      const std::string_view group = take(names, take_head<uint32_t>(names));
      uint16_t hold_ms = 0;
      i = deliver_slices(memo, group, messages, hold_ms);
      constexpr bool sole = true;
      if (hold_ms > 0) hold_back(from, head, sole, hold_ms);
    }
    for (; i < messages.count; i++) {
      const char* const begin = messages.behind(i).first;
      deliver_record(*plan, head, extension, groups,
                     {text, begin, messages.size, messages.tail_bytes, {}});
      // A maximum that was reached, or a close, changes who gets the next.
      plan = &lane_plan(from, head, text.subject);
    }
    return messages.count;
  }
  Message message{text, record.data(), head.message_bytes, tail_bytes_of(head), {}};
  if ((head.flags & message_by_reference) != 0) [[unlikely]] {
    const auto part = take_head<ReferencePart>(record);
    message.begin = part.begin;
    message.block = core::BlockRef(part.block);
  }
  deliver_record(*plan, head, extension, groups, message);
  return 1;
}

size_t Router::on_short_record(ShardId from, const MessageHead& head, std::string_view content) {
  protocol::Command text;
  text.subject = take(content, head.subject_bytes);
  text.reply = {};
  const Plan& plan = lane_plan(from, head, text.subject);
  const bool sole = is_sole(head, plan);
  const Message message{text, content.data(), head.message_bytes, tail_bytes_of(head), {}};
  const Given given = deliver_plain(plan, message, nullptr, sole);
  if (given.hold_ms > 0) hold_back(from, head, sole, given.hold_ms);
  return 1;
}

// What is remembered of a lane is the route that was named in it last: those who name none that
// others will follow on are not remembered.
const Plan& Router::lane_plan(ShardId from, const MessageHead& head, std::string_view subject) {
  if ((head.flags & (message_names_route | message_same_subject)) == 0) {
    return shard_.interest().match(head.account, subject);
  }
  constexpr bool remembers = true;
  return plan_for(lane_memos_[from], head.account, subject, remembers);
}

void Router::deliver_record(const Plan& plan, const MessageHead& head,
                            const MessageExtension& extension, std::string_view groups,
                            const Message& message) {
  // A queue message that was sent on may come back to where its publisher is, who may not want it.
  const Connection* publisher = extension.origin_shard == shard_.id()
                                    ? shard_.find({head.origin_slot, head.origin_generation})
                                    : nullptr;
  uint32_t lost = 0;  // Parts that nobody here takes, and that nobody else is asked to take.
  const bool sole = is_sole(head, plan);
  Given given;
  if ((head.flags & message_plain) != 0) {
    given = deliver_plain(plan, message, publisher, sole);
    if (given.messages == 0) lost++;
  }
  MessageHead onward = head;
  if (given.messages > 0 || has_several(groups)) {
    onward.flags &= static_cast<uint16_t>(~message_sole);
  }
  while (!groups.empty()) {
    const std::string_view name = take(groups, take_head<uint32_t>(groups));
    const auto group = std::find_if(plan.queues.begin(), plan.queues.end(),
                                    [&](const QueuePlan& each) { return each.name == name; });
    const QueuePlan* known = group == plan.queues.end() ? nullptr : &*group;
    Subscription* member = known == nullptr ? nullptr : pick_here(*known, publisher);
    if (member != nullptr) {
      deliver(shard_.owner(*member), *member, message, sole, given);
    } else if (!reroute(known, name, onward, extension, message)) {
      lost++;
    }
  }
  if (given.hold_ms > 0) hold_back(extension.origin_shard, head, sole, given.hold_ms);
  if (lost > 0 && given.messages == 0 && (head.flags & message_request) != 0) {
    report_lost(extension, head, message, lost);
  }
}

// The member that a group's message was meant for has left. It goes to another one, on whichever
// shard; none here can take it. False when there is none elsewhere either.
bool Router::reroute(const QueuePlan* group, std::string_view name, const MessageHead& head,
                     MessageExtension extension, const Message& message) {
  const uint32_t hops_allowed = hops_max + static_cast<uint32_t>(targets_.size());
  if (group == nullptr || group->members_elsewhere == 0 || extension.hops >= hops_allowed) {
    shard_.stats().queue_unclaimed++;
    return false;
  }
  extension.hops++;
  extension.groups_bytes = static_cast<uint32_t>(group_bytes(name));
  std::string record(record_bytes(message, group_bytes(name)), '\0');
  MessageHead& there = *new (record.data()) MessageHead(head);
  there.flags = message_extended | (head.flags & (message_sole | message_request));
  char* out = put(record.data() + sizeof there, &extension, sizeof extension);
  out = write_groups(out, {&name, 1});
  out = put(put(out, message.text.reply), message.text.subject);
  write_content(out, there, message);
  const ShardId to = extension.hops <= hops_max ? pick_elsewhere(*group) : next_elsewhere(*group);
  if (!shard_.link().append_or_defer(to, record)) {
    release_reference(record);
    shard_.stats().side_list_dropped++;
    return false;
  }
  shard_.stats().queue_rerouted++;
  return true;
}

void Router::report_lost(const MessageExtension& extension, const MessageHead& head,
                         const Message& message, uint32_t parts) {
  const protocol::Command& text = message.text;
  NoRespondersHead notice;
  notice.subject_bytes = static_cast<uint32_t>(text.subject.size());
  notice.reply_bytes = static_cast<uint32_t>(text.reply.size());
  notice.slot = head.origin_slot;
  notice.generation = head.origin_generation;
  notice.request = extension.request;
  notice.parts = parts;
  const ShardId origin = extension.origin_shard;
  if (origin == shard_.id()) return on_no_responders(notice, text.subject, text.reply);
  std::string record(sizeof notice + text.subject.size() + text.reply.size(), '\0');
  put(put(put(record.data(), &notice, sizeof notice), text.subject), text.reply);
  if (!shard_.link().send_control(origin, record)) shard_.stats().side_list_dropped++;
}

// A request in one part is lost with it. Of others the parts are counted, here where it comes from.
void Router::on_no_responders(const NoRespondersHead& notice, std::string_view subject,
                              std::string_view reply) {
  if (notice.request != 0 && !open_requests_.lose(notice.request, notice.parts)) return;
  Connection* const requester = shard_.find({notice.slot, notice.generation});
  if (requester == nullptr || !requester->open()) return;
  answer_no_responders(*requester, subject, reply);
}

// As nats-server has it: the requester hears it through a plain subscription of its own connection,
// or not at all.
void Router::answer_no_responders(Connection& requester, std::string_view subject,
                                  std::string_view reply) {
  const Plan& plan = shard_.interest().match(requester.account(), reply);
  const auto own =
      std::find_if(plan.plain.begin(), plan.plain.end(), [&](const Subscription* subscription) {
        return subscription->in_force && subscription->owner == requester.slot();
      });
  if (own == plan.plain.end()) return;
  const std::string_view sid = (*own)->sid();
  Outbox& outbox = requester.outbox();
  char* const begin =
      outbox.reserve(shard_.pool(), protocol::no_responders_message_bytes_max(reply, sid, subject));
  char* const end = requester.binary() ? protocol::write_no_responders_frame(
                                             begin, reply, sid, (*own)->literal, subject)
                                       : protocol::write_no_responders(begin, reply, sid, subject);
  outbox.commit(static_cast<size_t>(end - begin));
  requester.flush_later();
  requester.count_out(1, protocol::no_responders_bytes(subject));
  shard_.stats().no_responders++;
  if (outbox.pending_bytes() > shard_.options().limits.pending_bytes_max) {
    requester.close(CloseReason::slow_consumer_pending);
  }
}

}  // namespace peal::server
