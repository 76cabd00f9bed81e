// What a client publishes, on its way to those who get it.

#include "server/router.hpp"

#include <algorithm>
#include <cstring>

#include "protocol/limits.hpp"
#include "protocol/writer.hpp"
#include "server/message_record.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

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
      stretch_bytes_(
          std::clamp(shard.link().record_bytes_max() / 8, sizeof(LinesPart), stretch_bytes_max)),
      lane_memos_(std::make_unique<RouteMemo[]>(shard.link().shards())),
      lines_memos_(std::make_unique<RouteMemo[]>(shard.link().shards())),
      pressures_(shard.link().shards()),
      targets_(shard.link().shards()) {
  stretch_shards_.reserve(shard.link().shards());
  lines_parser_.allow_headers(true);
}

// A plan for any last token is one route, whatever the subject.
const Plan& Router::plan_for(RouteMemo& memo, AccountId account, std::string_view subject,
                             bool remembers) {
  Interest& interest = shard_.interest();
  if (memo.recalls(interest.epoch(), account, subject)) return memo.plan();
  if (memo.covers(interest.epoch(), account, subject) &&
      !interest.is_literal_filter(account, subject)) {
    memo.move_to(++routes_remembered_, subject);
    return memo.plan();
  }
  const uint64_t hash = interest.hash_of(account, subject);
  const Plan& plan = interest.match(hash, account, subject);
  const uint64_t route = plan.for_any_last_token
                             ? interest.hash_of(account, subject.substr(0, subject.rfind('.') + 1))
                             : hash;
  if (memo.comes_again(route) || remembers) {
    memo.remember(interest.epoch(), ++routes_remembered_, account, subject, plan);
  }
  return plan;
}

// ---- From a client.

bool Router::publish(Connection& publisher, const protocol::Command& command, bool lies_in_line) {
  RouteMemo& memo = publisher.route_memo();
  constexpr bool remembers = false;
  const Plan& plan = plan_for(memo, publisher.account(), command.subject, remembers);
  Message message{
      command, command.message.data(), command.message.size(), publisher.tail_bytes(), {}};
  const bool may_stretch = lies_in_line && !plan.shards.empty() && plan.queues.empty() &&
                           message.size < reference_bytes_;
  if (may_stretch && stretch_over(publisher, plan, command)) {
    publisher.on_published(command);
    constexpr bool sole = false;
    if (!plan.plain.empty()) {
      const Given given = deliver_plain(plan, message, &publisher, sole);
      if (given.hold_ms > 0) hold(publisher, sole, given.hold_ms);
    }
    if (shard_.budget().share_is_full()) publisher.wait_for_share();
    return true;
  }
  end_stretch();
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
  picks_.clear();
  targeted_ = plan.shards;
  plain_everywhere_ = plan.queues.empty();
  if (!plain_everywhere_) pick_members(plan, publisher, message);
  if (!targeted_.empty() && !has_room(publisher, message)) return false;
  publisher.on_published(command);

  const bool sole = targeted_.empty() && plan.plain.size() + picks_.size() == 1;
  Given given = deliver_plain(plan, message, &publisher, sole);
  for (Subscription* member : picks_) {
    deliver(shard_.owner(*member), *member, message, sole, given);
  }
  if (!targeted_.empty()) {
    hand_over(publisher, message, memo.version(), given.messages == 0);
  } else if (given.messages == 0 && !command.reply.empty() && publisher.no_responders()) {
    answer_no_responders(publisher, command.subject, command.reply);
  }
  if (given.hold_ms > 0) hold(publisher, sole, given.hold_ms);
  if (targeted_.size() == 1 && given.messages == 0 && is_pressed(targeted_.front(), publisher)) {
    bite(publisher, targeted_.front(), message.size + 1);
  }
  if (shard_.budget().share_is_full()) publisher.wait_for_share();
  return true;
}

// Room in every mailbox that the message goes to, or nowhere: then nothing was delivered to anyone,
// and the publisher comes back with the same command.
bool Router::has_room(Connection& publisher, const Message& message) {
  for (const ShardId to : targeted_) {
    const size_t bytes = record_bytes(message, plain_everywhere_ ? 0 : targets_[to].groups_bytes);
    if (!shard_.link().has_room(to, bytes)) {
      shard_.park(publisher, to, bytes);
      return false;
    }
  }
  return true;
}

void Router::hand_over(const Connection& publisher, const Message& message, uint64_t route_version,
                       bool nobody_here) {
  const bool sole = nobody_here && targeted_.size() == 1;
  MessageHead head = head_of(publisher, sole ? message_plain | message_sole : message_plain);
  head.subject_bytes = static_cast<uint32_t>(message.text.subject.size());
  head.message_bytes = static_cast<uint32_t>(message.size);
  const bool is_short = plain_everywhere_ && message.text.reply.empty() &&
                        message.text.header_bytes == 0 && !message.block;
  if (is_short) [[likely]] {
    for (const ShardId to : targeted_) hand_over_short(to, head, message, route_version);
  } else {
    const bool is_request = nobody_here && !message.text.reply.empty() && publisher.no_responders();
    if (is_request) head.flags |= message_request;
    hand_over_long(head, message, route_version);
  }
  shard_.stats().messages_to_shards += targeted_.size();
}

// What most messages are: a head, a subject unless it is that of the route before, and bytes.
void Router::hand_over_short(ShardId to, const MessageHead& head, const Message& message,
                             uint64_t route_version) {
  ShardLink& link = shard_.link();
  const RouteRepeat repeat = link.repeats_route(to, route_version);
  const bool names_subject = repeat != RouteRepeat::same;
  const size_t subject_bytes = names_subject ? head.subject_bytes : 0;
  char* const begin = link.append(to, sizeof head + subject_bytes + message.content_bytes());
  MessageHead& there = *new (begin) MessageHead(head);
  there.flags |= flags_of(repeat);
  char* out = begin + sizeof there;
  if (names_subject) out = protocol::write_text(out, message.text.subject);
  write_content(out, there, message);
  shard_.budget().spend_elsewhere(link.price(to));
}

void Router::hand_over_long(const MessageHead& head, const Message& message,
                            uint64_t route_version) {
  const protocol::Command& text = message.text;
  ShardLink& link = shard_.link();
  MessageExtension extension;
  extension.reply_bytes = static_cast<uint32_t>(text.reply.size());
  extension.header_bytes = text.header_bytes;
  extension.origin_shard = shard_.id();
  if ((head.flags & message_request) != 0) {
    const uint32_t parts = parts_handed_over();
    if (parts > 1) extension.request = open_requests_.open(parts);
  }
  for (const ShardId to : targeted_) {
    MessageHead head_there = head;
    std::span<const std::string_view> groups;
    if (!plain_everywhere_) {
      const Target& target = targets_[to];
      if (!target.plain) head_there.flags &= static_cast<uint16_t>(~message_plain);
      groups = target.groups;
      extension.groups_bytes = static_cast<uint32_t>(target.groups_bytes);
    }
    const RouteRepeat repeat = link.repeats_route(to, route_version);
    const bool same_subject = repeat == RouteRepeat::same;
    head_there.flags |= flags_of(repeat);
    const bool extended =
        extension.reply_bytes != 0 || extension.header_bytes != 0 || extension.groups_bytes != 0;
    size_t bytes = sizeof head + (message.block ? sizeof(ReferencePart) : message.content_bytes());
    if (extended) {
      head_there.flags |= message_extended;
      bytes += sizeof extension + text.reply.size() + extension.groups_bytes;
    }
    if (!same_subject) bytes += text.subject.size();

    char* const begin = link.append(to, bytes);
    MessageHead& there = *new (begin) MessageHead(head_there);
    char* out = begin + sizeof there;
    if (extended) {
      out = put(out, &extension, sizeof extension);
      out = write_groups(out, groups);
      out = protocol::write_text(out, text.reply);
    }
    if (!same_subject) out = protocol::write_text(out, text.subject);
    write_content(out, there, message);
    if (message.block) link.told_much(to);
    shard_.budget().spend_elsewhere(link.price(to));
  }
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

}  // namespace peal::server
