#include "server/router.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "core/copy.hpp"
#include "protocol/headers.hpp"
#include "protocol/limits.hpp"
#include "protocol/writer.hpp"
#include "server/shard.hpp"
#include "server/trace.hpp"

namespace peal::server {
namespace {

// A queue message is sent on so often by chance, and then once round: members would have to move
// from shard to shard faster than a message does, or all be such as may not see it.
constexpr uint32_t hops_max = 8;

constexpr size_t group_bytes(std::string_view name) { return sizeof(uint32_t) + name.size(); }

/// Of the names behind a record's head.
bool has_several(std::string_view groups) {
  if (groups.empty()) return false;
  take(groups, take_head<uint32_t>(groups));
  return !groups.empty();
}

/// What a message takes as a record, with its subject.
size_t record_bytes(const Message& message, size_t groups_bytes) {
  const size_t content = message.block ? sizeof(ReferencePart) : message.content_bytes();
  return sizeof(MessageHead) + sizeof(MessageExtension) + groups_bytes +
         message.text.subject.size() + message.text.reply.size() + content;
}

char* write_groups(char* out, std::span<const std::string_view> groups) {
  for (const std::string_view name : groups) {
    const auto bytes = static_cast<uint32_t>(name.size());
    out = put(out, &bytes, sizeof bytes);
    out = put(out, name);
  }
  return out;
}

/// What comes last in a record, and the flags that say which way.
void write_content(char* out, MessageHead& head, const Message& message) {
  if (message.tail_bytes == 0) head.flags |= message_bare;
  if (message.block) [[unlikely]] {
    head.flags |= message_by_reference;
    core::BlockRef holder = message.block;
    const ReferencePart part{holder.leave(), message.begin};
    put(out, &part, sizeof part);
  } else {
    core::copy_short(out, message.begin, message.content_bytes());
  }
}

/// Makes a large message shareable: by the block it was gathered in, or by one copy.
bool attach_block(Message& message, const core::BlockRef& gathered) {
  const char* const begin = message.begin;
  if (gathered && begin >= gathered->bytes() && begin < gathered->bytes() + gathered->capacity) {
    message.block = gathered;
    return true;
  }
  message.block = core::make_payload_block(message.content_bytes());
  if (!message.block) return false;
  std::memcpy(message.block->bytes(), begin, message.content_bytes());
  message.begin = message.block->bytes();
  return true;
}

}  // namespace

Router::Router(Shard& shard, uint64_t seed)
    : shard_(shard),
      random_(seed),
      reference_bytes_(std::min(reference_bytes_max, shard.link().record_bytes_max() / 4)),
      in_place_bytes_(std::min(in_place_bytes_max, shard.link().record_bytes_max() / 16)),
      lane_memos_(std::make_unique<RouteMemo[]>(shard.link().shards())),
      lane_subjects_(shard.link().shards()),
      lane_accounts_(shard.link().shards(), global_account),
      pressures_(shard.link().shards()),
      targets_(shard.link().shards()) {}

const Plan& Router::plan_for(RouteMemo& memo, AccountId account, std::string_view subject) {
  Interest& interest = shard_.interest();
  if (memo.recalls(interest.epoch(), account, subject)) [[likely]]
    return memo.plan();
  if (memo.covers(interest.epoch(), account, subject) &&
      !interest.is_literal_filter(account, subject)) {
    memo.move_to(++routes_remembered_, subject);
    return memo.plan();
  }
  const Plan& plan = interest.match(account, subject);
  memo.remember(interest.epoch(), ++routes_remembered_, account, subject, plan);
  return plan;
}

// ---- From a client.

bool Router::publish(Connection& publisher, const protocol::Command& command) {
  RouteMemo& memo = publisher.route_memo();
  const Plan& plan = plan_for(memo, publisher.account(), command.subject);
  Message message{
      command, command.message.data(), command.message.size(), publisher.tail_bytes(), {}};
  if (message.content_bytes() == 0) {
    // A record is a run of as many messages as its bytes make, so each has some.
    message.begin = protocol::line_end_text.data();
    message.tail_bytes = protocol::line_end_bytes;
  }
  if (message.size >= reference_bytes_ && !plan.empty() &&
      !attach_block(message, publisher.carried_block())) {
    publisher.close(CloseReason::out_of_memory);
    return true;
  }
  targeted_.clear();
  picks_.clear();
  if (!plan.queues.empty()) pick_members(plan, &publisher);
  if (!reserve(plan, publisher, message)) return false;
  publisher.on_published(command);

  unsigned delivered = 0;
  bool slow = false;
  const bool sole = targeted_.empty() && plan.plain.size() + picks_.size() == 1;
  const auto give = [&](Subscription& subscription) {
    slow |= deliver(subscription, message, sole) == Delivery::slow;
    delivered++;
  };
  for (Subscription* subscription : plan.plain) {
    if (may_deliver(*subscription, &publisher)) give(*subscription);
  }
  for (Subscription* member : picks_) give(*member);
  if (!targeted_.empty()) {
    hand_over(publisher, message, memo.version(), delivered);
  } else if (delivered == 0 && !command.reply.empty() && publisher.no_responders()) {
    answer_no_responders(publisher, command.subject, command.reply);
  }
  if (slow) hold(publisher, sole);
  if (targeted_.size() == 1 && delivered == 0 && is_pressed(targeted_.front(), publisher)) {
    bite(publisher, targeted_.front(), message.size + 1);
  }
  if (shard_.budget().share_is_full()) publisher.wait_for_share();
  return true;
}

// Chooses who of each group gets the message, before anything is promised: a member here is asked
// whether it can, a member elsewhere is the other shard's to choose.
void Router::pick_members(const Plan& plan, const Connection* publisher) {
  for (Target& target : targets_) {
    target.groups.clear();
    target.groups_bytes = 0;
  }
  for (const QueuePlan& group : plan.queues) {
    const auto here = static_cast<uint32_t>(group.here.size());
    const uint32_t all = here + group.members_elsewhere;
    Subscription* member = nullptr;
    if (all > 0 && random_.below(all) < here) member = pick_here(group, publisher);
    if (member == nullptr && group.members_elsewhere == 0) member = pick_here(group, publisher);
    if (member != nullptr) {
      picks_.push_back(member);
    } else if (group.members_elsewhere > 0) {
      Target& target = targets_[pick_elsewhere(group)];
      target.groups.push_back(group.name);
      target.groups_bytes += group_bytes(group.name);
    }
  }
}

// Every member has the same chance, but for those behind one that cannot take it now: to go on from
// a random place is cheaper than to ask all of them first.
Subscription* Router::pick_here(const QueuePlan& group, const Connection* publisher) {
  const auto members = static_cast<uint32_t>(group.here.size());
  if (members == 0) return nullptr;
  const uint32_t first = random_.below(members);
  for (uint32_t i = 0; i < members; i++) {
    const uint32_t at = first + i < members ? first + i : first + i - members;
    if (may_deliver(*group.here[at], publisher)) return group.here[at];
  }
  return nullptr;
}

// A shard is chosen by how many members it has, so that all members have the same chance.
ShardId Router::pick_elsewhere(const QueuePlan& group) {
  assert(group.members_elsewhere > 0);
  uint32_t ticket = random_.below(group.members_elsewhere);
  for (const QueuePlan::Elsewhere& elsewhere : group.elsewhere) {
    if (ticket < elsewhere.members) return elsewhere.shard;
    ticket -= elsewhere.members;
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

// Room in every mailbox that the message goes to, or nowhere: then nothing was delivered to anyone,
// and the publisher comes back with the same command.
bool Router::reserve(const Plan& plan, Connection& publisher, const Message& message) {
  if (plan.queues.empty()) {
    if (plan.shards.empty()) return true;
    const size_t bytes = record_bytes(message, 0);
    for (const ShardId to : plan.shards) {
      if (!shard_.link().has_room(to, bytes)) {
        shard_.park(publisher, to, bytes);
        return false;
      }
      targeted_.push_back(to);
    }
    plain_everywhere_ = true;
    return true;
  }
  plain_everywhere_ = false;
  for (Target& target : targets_) target.plain = false;
  for (const ShardId to : plan.shards) targets_[to].plain = true;
  for (ShardId to = 0; to < targets_.size(); to++) {
    Target& target = targets_[to];
    if (!target.plain && target.groups.empty()) continue;
    drop_groups_beyond_record(target, message);
    const size_t bytes = record_bytes(message, target.groups_bytes);
    if (!shard_.link().has_room(to, bytes)) {
      shard_.park(publisher, to, bytes);
      return false;
    }
    targeted_.push_back(to);
  }
  return true;
}

void Router::drop_groups_beyond_record(Target& target, const Message& message) {
  while (!target.groups.empty() &&
         record_bytes(message, target.groups_bytes) > shard_.link().record_bytes_max()) {
    target.groups_bytes -= group_bytes(target.groups.back());
    target.groups.pop_back();
    shard_.stats().queue_groups_dropped++;
  }
}

void Router::hand_over(const Connection& publisher, const Message& message, uint64_t route_version,
                       unsigned delivered) {
  const protocol::Command& text = message.text;
  const bool is_request = delivered == 0 && !text.reply.empty() && publisher.no_responders();
  const uint32_t parts = is_request ? parts_handed_over() : 0;
  const uint32_t request = parts > 1 ? open_requests_.open(parts) : 0;
  for (const ShardId to : targeted_) {
    std::span<const std::string_view> groups;
    MessageExtension extension;
    MessageHead head;
    head.flags = message_plain;
    if (!plain_everywhere_) {
      const Target& target = targets_[to];
      if (!target.plain) head.flags = 0;
      groups = target.groups;
      extension.groups_bytes = static_cast<uint32_t>(target.groups_bytes);
    }
    extension.reply_bytes = static_cast<uint32_t>(text.reply.size());
    extension.header_bytes = text.header_bytes;
    extension.account = publisher.account();
    extension.origin_shard = shard_.id();
    extension.request = request;
    // A record on the subject of the one before it is of its account as well.
    const bool same_subject = shard_.link().repeats_route(to, route_version);
    const bool extended = extension.reply_bytes != 0 || extension.header_bytes != 0 ||
                          extension.groups_bytes != 0 ||
                          (extension.account != global_account && !same_subject);
    size_t bytes = sizeof head + (message.block ? sizeof(ReferencePart) : message.content_bytes());
    if (extended) {
      head.flags |= message_extended;
      bytes += sizeof extension + text.reply.size() + extension.groups_bytes;
    }
    if (same_subject) {
      head.flags |= message_same_subject;
    } else {
      bytes += text.subject.size();
    }
    if (delivered == 0 && targeted_.size() == 1) head.flags |= message_sole;
    if (is_request) head.flags |= message_request;

    char* const begin = shard_.link().append(to, bytes);
    MessageHead& there = *new (begin) MessageHead;
    there.flags = head.flags;
    there.subject_bytes = static_cast<uint32_t>(text.subject.size());
    there.message_bytes = static_cast<uint32_t>(message.size);
    there.origin_slot = publisher.slot();
    there.origin_generation = publisher.generation();
    char* out = begin + sizeof there;
    if (extended) {
      out = put(out, &extension, sizeof extension);
      out = write_groups(out, groups);
      out = protocol::write_text(out, text.reply);
    }
    if (!same_subject) out = protocol::write_text(out, text.subject);
    write_content(out, there, message);
    if (message.block) [[unlikely]]
      shard_.link().told_much(to);
    shard_.budget().spend_elsewhere(shard_.link().price(to));
  }
  shard_.stats().messages_to_shards += targeted_.size();
}

// What each shard was given for its plain subscriptions is a part, and for each queue group.
uint32_t Router::parts_handed_over() const {
  if (plain_everywhere_) return static_cast<uint32_t>(targeted_.size());
  size_t parts = 0;
  for (const ShardId to : targeted_) {
    parts += targets_[to].groups.size() + (targets_[to].plain ? 1 : 0);
  }
  return static_cast<uint32_t>(parts);
}

// ---- To the clients of this shard.

bool Router::may_deliver(const Subscription& subscription, const Connection* publisher) const {
  if (!subscription.in_force) return false;
  const Connection& receiver = shard_.owner(subscription);
  return receiver.open() && (&receiver != publisher || receiver.echo());
}

Router::Delivery Router::deliver(Subscription& subscription, const Message& message, bool sole) {
  Connection& receiver = shard_.owner(subscription);
  subscription.count_delivered(1);
  shard_.budget().spend(work_of(message.size));
  const Delivery delivery = append(receiver, subscription, message, sole);
  if (subscription.delivered_max != 0 && subscription.delivered >= subscription.delivered_max) {
    receiver.end_subscription(subscription);
  }
  return delivery;
}

Router::Delivery Router::append(Connection& receiver, const Subscription& subscription,
                                const Message& message, bool sole) {
  if (receiver.binary()) [[unlikely]]
    return append_frame(receiver, subscription, message, sole);
  const char* bytes = message.begin;
  size_t size = message.size;
  uint32_t header_bytes = message.text.header_bytes;
  if (header_bytes > 0 && !receiver.headers()) {
    bytes += header_bytes;
    size -= header_bytes;
    header_bytes = 0;
  }
  if (!message.text.reply.empty()) receiver.on_request(message.text.reply);
  const std::string_view sid = subscription.sid();
  const bool by_reference = message.block && size >= reference_bytes_;
  const size_t head_bytes_max = protocol::hmsg_head_bytes_max(
      message.text.subject.size(), sid.size(), message.text.reply.size());
  const size_t content_bytes = size + message.tail_bytes;

  core::ChunkPool& pool = shard_.pool();
  Outbox& outbox = receiver.outbox();
  char* const begin =
      outbox.reserve(pool, head_bytes_max + (by_reference ? 0 : size + protocol::line_end_bytes));
  char* end = header_bytes > 0 ? protocol::write_hmsg_head(begin, message.text.subject, sid,
                                                           message.text.reply, header_bytes, size)
                               : protocol::write_msg_head(begin, message.text.subject, sid,
                                                          message.text.reply, size);
  if (shard_.traces(receiver, message.text.subject)) {
    trace_sent(shard_.log(), receiver.label(), {begin, static_cast<size_t>(end - begin)});
  }
  if (by_reference) {
    outbox.commit(static_cast<size_t>(end - begin));
    outbox.append_reference(pool, message.block, {bytes, content_bytes});
    if (message.tail_bytes == 0) outbox.append(pool, protocol::line_end_text);
  } else {
    end = core::copy_short(end, bytes, content_bytes);
    if (message.tail_bytes == 0) [[unlikely]]
      end = protocol::write_line_end(end);
    outbox.commit(static_cast<size_t>(end - begin));
  }
  receiver.flush_later();
  receiver.count_out(1, size);
  return settle(receiver, sole, head_bytes_max + content_bytes);
}

// ---- From another shard.

size_t Router::on_record(ShardId from, std::string_view record) {
  shard_.stats().messages_from_shards++;
  const MessageHead& head = message_head(record);
  record.remove_prefix(sizeof head);
  RouteMemo& memo = lane_memos_[from];
  if (is_run(head) && memo.holds(shard_.interest().epoch())) [[likely]] {
    if (const auto receivers = receivers_of_run(memo, nullptr)) {
      const RecordedRun run(head, record);
      const bool sole = (head.flags & message_sole) != 0 && *receivers == 1;
      if (*receivers > 0 && deliver_run(memo, run.messages(), nullptr, sole) == Delivery::slow) {
        hold_back(from, head, sole);
      }
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
  if ((head.flags & message_same_subject) != 0) {
    extension.account = lane_accounts_[from];
  } else {
    lane_accounts_[from] = extension.account;
  }
  text.header_bytes = extension.header_bytes;

  const Plan* plan;
  if ((head.flags & message_same_subject) != 0) {
    text.subject = lane_subjects_[from];
    plan = memo.holds(shard_.interest().epoch()) ? &memo.plan()
                                                 : &plan_for(memo, extension.account, text.subject);
  } else {
    text.subject = take(record, head.subject_bytes);
    lane_subjects_[from] = text.subject;
    plan = &plan_for(memo, extension.account, text.subject);
  }
  if (is_run(head)) {
    const RecordedRun run(head, record);
    const MessageRun& messages = run.messages();
    for (size_t i = 0; i < messages.count; i++) {
      const char* const begin = messages.behind(i).first;
      deliver_record(*plan, head, extension, groups,
                     {text, begin, messages.size, messages.tail_bytes, {}});
      // A maximum that was reached, or a close, changes who gets the next.
      plan = &plan_for(memo, extension.account, text.subject);
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

void Router::deliver_record(const Plan& plan, const MessageHead& head,
                            const MessageExtension& extension, std::string_view groups,
                            const Message& message) {
  // A queue message that was sent on may come back to where its publisher is, who may not want it.
  const Connection* publisher = extension.origin_shard == shard_.id()
                                    ? shard_.find(head.origin_slot, head.origin_generation)
                                    : nullptr;
  unsigned delivered = 0;
  uint32_t lost = 0;  // Parts that nobody here takes, and that nobody else is asked to take.
  bool slow = false;
  const bool sole = (head.flags & message_sole) != 0 && plan.plain.size() + plan.queues.size() == 1;
  const auto give = [&](Subscription& subscription) {
    slow |= deliver(subscription, message, sole) == Delivery::slow;
    delivered++;
  };
  if ((head.flags & message_plain) != 0) {
    for (Subscription* subscription : plan.plain) {
      if (may_deliver(*subscription, publisher)) give(*subscription);
    }
    if (delivered == 0) lost++;
  }
  MessageHead onward = head;
  if (delivered > 0 || has_several(groups)) {
    onward.flags &= static_cast<uint8_t>(~message_sole);
  }
  while (!groups.empty()) {
    const std::string_view name = take(groups, take_head<uint32_t>(groups));
    const auto group = std::find_if(plan.queues.begin(), plan.queues.end(),
                                    [&](const QueuePlan& each) { return each.name == name; });
    const QueuePlan* known = group == plan.queues.end() ? nullptr : &*group;
    Subscription* member = known == nullptr ? nullptr : pick_here(*known, publisher);
    if (member != nullptr) {
      give(*member);
    } else if (!reroute(known, name, onward, extension, message)) {
      lost++;
    }
  }
  if (slow) hold_back(extension.origin_shard, head, sole);
  if (lost > 0 && delivered == 0 && (head.flags & message_request) != 0) {
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
  if (origin == shard_.id()) return shard_.on_no_responders(notice, text.subject, text.reply);
  std::string record(sizeof notice + text.subject.size() + text.reply.size(), '\0');
  put(put(put(record.data(), &notice, sizeof notice), text.subject), text.reply);
  if (!shard_.link().send_control(origin, record)) shard_.stats().side_list_dropped++;
}

// A request in one part is lost with it. Of others the parts are counted, here where it comes from.
bool Router::is_lost(const NoRespondersHead& notice) {
  return notice.request == 0 || open_requests_.lose(notice.request, notice.parts);
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
