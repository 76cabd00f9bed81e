// The router's way for messages that repeat the control line of the one before: most of a busy
// publisher's. They are parsed, handed over and delivered by the run; whatever is unusual about
// them is left to the way of a single message, which knows all cases.

#include <algorithm>
#include <array>
#include <cassert>
#include <span>

#include "core/copy.hpp"
#include "protocol/binary_writer.hpp"
#include "server/message_record.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

// A run that has several receivers is laid out once for those whose sid is the same, as it often
// is. So much at a time; less than a quarter of that is copied, so that a slow client cannot keep
// much memory alive by little.
constexpr size_t part_bytes_max = 64 * 1024;
constexpr size_t part_reference_bytes_min = 16 * 1024;
constexpr size_t part_blocks_max = 16;

uint16_t flags_of_run(bool sole) { return sole ? run_flags | message_sole : run_flags; }

/// How a run is laid out for a receiver.
enum class Layout : uint8_t {
  lines,
  batch,        // The subscription says the subject.
  named_batch,  // It stands in the frame.
};
constexpr size_t layouts = 3;

Layout layout_for(const Connection& receiver, const Subscription& subscription) {
  if (!receiver.binary()) return Layout::lines;
  return subscription.literal ? Layout::batch : Layout::named_batch;
}

/// What was laid out for all who have the same sid.
struct SharedPart {
  core::BlockRef block;
  std::string_view bytes;
};

void write_batch(char* out, std::string_view sid, std::string_view subject,
                 const MessageRun& part) {
  out = protocol::write_batch_head(out, protocol::Operation::msg_batch,
                                   {.id = protocol::subscription_number(sid),
                                    .subject = subject,
                                    .message_bytes = static_cast<uint32_t>(part.size),
                                    .messages = static_cast<uint32_t>(part.count)});
  copy_run(out, {}, part.bare());
}

}  // namespace

struct Router::PartLayout {
  Layout layout;
  std::string_view head;     // Of each line; good until the next is laid out.
  std::string_view subject;  // In the frame.
  size_t bytes;              // Of all of it.

  PartLayout(RouteMemo& memo, const Connection& receiver, const Subscription& subscription,
             const MessageRun& part)
      : layout(layout_for(receiver, subscription)) {
    if (layout == Layout::lines) {
      head = memo.head(subscription.sid(), part.size);
      bytes = part.count * (head.size() + part.size + protocol::line_end_bytes);
    } else {
      if (layout == Layout::named_batch) subject = memo.subject();
      bytes = protocol::batch_head_bytes(subject.size()) + part.count * part.size;
    }
  }
};

// ---- From a client.

size_t Router::publish_again(Connection& publisher, std::string_view subject,
                             const MessageRun& run) {
  end_stretch();
  RouteMemo& memo = publisher.route_memo();
  Round round;
  size_t taken = 0;
  while (taken < run.count && publisher.ready()) {
    const MessageRun rest = run.behind(taken);
    size_t now = 0;
    if (memo.holds(shard_.interest().epoch()) && rest.size < reference_bytes_ && publisher.terse())
        [[likely]] {
      now = memo.plan().queues.empty() ? publish_run(publisher, memo, rest)
                                       : publish_slice(publisher, memo, rest, round);
    }
    taken += now;
    if (now > 0 || !publisher.ready()) continue;
    protocol::Command command;
    command.kind = protocol::CommandKind::pub;
    command.subject = subject;
    command.reply = {};
    command.message = {rest.first, rest.size};
    command.header_bytes = 0;
    constexpr bool lies_in_line = false;
    if (!publish(publisher, command, lies_in_line)) break;
    taken++;
  }
  return taken;
}

// As many of them as there is room for in every mailbox that they go to. 0 when something is
// unusual, and publish() is to look at the next one.
size_t Router::publish_run(Connection& publisher, RouteMemo& memo, MessageRun run) {
  const auto receivers = receivers_of_run(memo, &publisher);
  if (!receivers) return 0;
  TurnBudget& budget = shard_.budget();
  uint64_t elsewhere_each = 0;
  for (const ShardId to : memo.plan().shards) {
    run.count = std::min(run.count, shard_.link().credit(to, run.count));
    elsewhere_each += shard_.link().price(to);
  }
  run.count =
      std::min(run.count, budget.room_in_share(*receivers * work_of(run.size), elsewhere_each));
  if (run.count == 0) return 0;
  const bool sole = *receivers + memo.plan().shards.size() == 1;
  const ShardId there = sole && *receivers == 0 ? memo.plan().shards.front() : shard_.id();
  const bool bites = sole && is_pressed(there, publisher);
  if (bites) run.count = std::min(run.count, bite_of(there) / (run.size + 1) + 1);
  if (!stays_in_place(memo, run) || !hand_over_in_place(publisher, memo, run, sole)) {
    for (const ShardId to : memo.plan().shards) {
      run.count =
          std::min(run.count, shard_.link().run_room(to, memo.version(), publisher.slot(), run));
    }
    if (run.count == 0) return 0;
    hand_over_run(publisher, memo, run, sole);
  }
  publisher.count_in(run.count, run.count * run.size);
  if (*receivers > 0) {
    const uint16_t hold_ms = deliver_run(memo, run, &publisher, sole);
    if (hold_ms > 0) hold(publisher, sole, hold_ms);
  }
  budget.spend_elsewhere(run.count * elsewhere_each);
  if (bites) bite(publisher, there, run.count * run.stride_bytes);
  if (budget.share_is_full()) publisher.wait_for_share();
  return run.count;
}

bool Router::stays_in_place(const RouteMemo& memo, const MessageRun& run) const {
  const std::span<const ShardId> shards = memo.plan().shards;
  return !shards.empty() && run.count * run.stride_bytes >= in_place_bytes_ &&
         std::ranges::all_of(shards, [&](ShardId to) {
           return shard_.link().has_room_in_place(to, memo.version());
         });
}

// The other shards read the run in the receive buffer that it came in, which saves the busier of
// two cores a copy. False when it lies elsewhere, or enough buffers are held already; then nobody
// was told.
bool Router::hand_over_in_place(const Connection& publisher, const RouteMemo& memo,
                                const MessageRun& run, bool sole) {
  core::BufferHold* const hold = shard_.reactor().hold(run.first);
  if (hold == nullptr) return false;
  const std::span<const ShardId> shards = memo.plan().shards;
  for (size_t more = 1; more < shards.size(); more++) hold->begin();
  const InPlacePart part = in_place_part(hold, run);
  for (const ShardId to : shards) {
    char* const record = shard_.link().append_in_place(to, run.count);
    write_run_head(record, publisher, memo, run, flags_of_run(sole) | message_in_place);
    put(record + sizeof(MessageHead), &part, sizeof part);
  }
  return true;
}

// Messages of one publisher that differ in nothing but their bytes go over as one record, for as
// long as the other shard has not been shown it: a head, then message behind message, each with its
// CR LF if it came with one.
void Router::hand_over_run(const Connection& publisher, const RouteMemo& memo,
                           const MessageRun& run, bool sole) {
  for (const ShardId to : memo.plan().shards) {
    const auto place = shard_.link().append_run(to, publisher.slot(), run);
    if (place.head != nullptr) {
      write_run_head(place.head, publisher, memo, run, flags_of_run(sole));
    }
    copy_run(place.messages, {}, run);
  }
}

// ---- To the clients of this shard.

// How many of the memo's subscriptions here get a run now. None when a message has to be looked at
// by itself: it may be the last one of a subscription, or a trace wants to see it.
std::optional<size_t> Router::receivers_of_run(const RouteMemo& memo,
                                               const Connection* publisher) const {
  if (shard_.tracing()) return {};
  size_t receivers = 0;
  for (const Subscription* subscription : memo.plan().plain) {
    if (!takes_several(memo, *subscription)) return {};
    receivers += shard_.receiver_of(*subscription, publisher) != nullptr;
  }
  return receivers;
}

uint16_t Router::deliver_run(RouteMemo& memo, const MessageRun& run, const Connection* publisher,
                             bool sole) {
  const std::string_view sid = memo.plan().plain.front()->sid();
  const size_t each_bytes = memo.head(sid, run.size).size() + run.size + protocol::line_end_bytes;
  const size_t messages_max = std::max<size_t>(1, part_bytes_max / each_bytes);
  uint16_t hold_ms = 0;
  for (size_t done = 0; done < run.count;) {
    const size_t now = std::min(run.count - done, messages_max);
    const MessageRun part = run.behind(done).front(now);
    hold_ms = std::max(hold_ms, deliver_part(memo, part, publisher, sole));
    done += now;
  }
  return hold_ms;
}

// Each subscription gets all of the part before the next one gets any: what one client is sent
// stays in its order, and bytes that are the same for several are made once.
uint16_t Router::deliver_part(RouteMemo& memo, const MessageRun& part, const Connection* publisher,
                              bool sole) {
  const std::span<Subscription* const> subscriptions = memo.plan().plain;
  const std::string_view shared_sid = subscriptions.front()->sid();
  std::array<SharedPart, layouts> shared;
  uint16_t hold_ms = 0;
  for (Subscription* subscription : subscriptions) {
    Connection* const may_receive = shard_.receiver_of(*subscription, publisher);
    if (may_receive == nullptr) continue;
    Connection& receiver = *may_receive;
    Outbox& outbox = receiver.outbox();
    const std::string_view sid = subscription->sid();
    const PartLayout laid(memo, receiver, *subscription, part);
    SharedPart& same = shared[static_cast<size_t>(laid.layout)];
    const bool may_share = sid == shared_sid && (laid.layout == Layout::lines || part.size > 0);
    if (subscriptions.size() > 1 && may_share && laid.bytes >= part_reference_bytes_min &&
        !same.block) {
      same.block = take_part_block();
      if (same.block) {
        char* const out = same.block->bytes();
        if (laid.layout == Layout::lines) {
          copy_run_as_lines(out, laid.head, part);
        } else {
          write_batch(out, sid, laid.subject, part);
        }
        same.bytes = {out, laid.bytes};
      }
    }
    if (same.block && may_share) {
      outbox.append_reference(shard_.pool(), same.block, same.bytes);
    } else {
      append_laid(outbox, sid, laid, part);
    }
    hold_ms = std::max(hold_ms, count_part(receiver, *subscription, part, laid.bytes, sole));
  }
  return hold_ms;
}

// To one subscription.
uint16_t Router::give_part(RouteMemo& memo, Subscription& subscription, const MessageRun& part,
                           bool sole) {
  Connection& receiver = shard_.owner(subscription);
  const PartLayout laid(memo, receiver, subscription, part);
  append_laid(receiver.outbox(), subscription.sid(), laid, part);
  return count_part(receiver, subscription, part, laid.bytes, sole);
}

// It has been appended. Returns for how long its publisher is to be held.
uint16_t Router::count_part(Connection& receiver, Subscription& subscription,
                            const MessageRun& part, size_t bytes, bool sole) {
  subscription.count_delivered(part.count);
  shard_.budget().spend(part.count * work_of(part.size));
  receiver.flush_later();
  receiver.count_out(part.count, part.count * part.size);
  return shard_.is_slow(receiver) ? settle(receiver, sole, bytes) : uint16_t{0};
}

void Router::append_laid(Outbox& outbox, std::string_view sid, const PartLayout& laid,
                         const MessageRun& part) {
  if (laid.layout == Layout::lines) {
    append_part(outbox, laid.head, part);
  } else {
    append_batches(outbox, sid, laid.subject, part);
  }
}

void Router::append_part(Outbox& outbox, std::string_view head, const MessageRun& part) {
  const size_t each_bytes = head.size() + part.size + protocol::line_end_bytes;
  for (size_t done = 0; done < part.count;) {
    char* const out = outbox.reserve(shard_.pool(), each_bytes);
    const size_t now = std::min(part.count - done, outbox.room() / each_bytes);
    copy_run_as_lines(out, head, part.behind(done).front(now));
    outbox.commit(now * each_bytes);
    done += now;
  }
}

// As many batches as the outbox has pieces. Messages of no bytes have a frame each: in a batch they
// could not be counted.
void Router::append_batches(Outbox& outbox, std::string_view sid, std::string_view subject,
                            const MessageRun& part) {
  const size_t head_bytes = protocol::batch_head_bytes(subject.size());
  for (size_t done = 0; done < part.count;) {
    char* const out = outbox.reserve(shard_.pool(), head_bytes + part.size);
    if (part.size == 0) {
      protocol::write_message_head(out, protocol::Operation::msg,
                                   {.id = protocol::subscription_number(sid), .subject = subject});
      outbox.commit(head_bytes);
      done++;
      continue;
    }
    const size_t now = std::min(part.count - done, (outbox.room() - head_bytes) / part.size);
    write_batch(out, sid, subject, part.behind(done).front(now));
    outbox.commit(head_bytes + now * part.size);
    done += now;
  }
}

// One that nobody sends from any more; none when all are still being sent. They are made together,
// so that what follows takes nothing from the allocator; memory that was never written is none.
core::BlockRef Router::take_part_block() {
  while (part_blocks_.size() < part_blocks_max) {
    core::BlockRef made = core::make_payload_block(part_bytes_max);
    if (!made) break;  // There is no memory now; there may be later.
    part_blocks_.push_back(std::move(made));
  }
  for (const core::BlockRef& block : part_blocks_) {
    if (!block.shared()) return block;
  }
  return {};
}

size_t Router::kept_bytes() const {
  size_t bytes = 0;
  for (const core::BlockRef& block : part_blocks_) {
    if (!block.shared()) bytes += block->capacity;
  }
  assert(bytes <= part_blocks_max * part_bytes_max);
  return bytes;
}

}  // namespace peal::server
