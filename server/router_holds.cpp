// Who is held for whom. A subscriber that is slow holds its publishers, so that it need not be cut
// off: see docs/decisions/0006-slow-and-stuck.md and 0019-crowds.md.

#include <algorithm>

#include "core/clock.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

// Of max_pending: beyond it a subscriber is slow, and whoever publishes to it is held.
constexpr uint64_t slow_numerator = 3;
constexpr uint64_t slow_denominator = 4;

// For one that gets its messages alone whoever publishes to it has to wait: for a quarter of a
// nanosecond a byte when half of max_pending waits, and twice as long at each of these steps from
// there to all of it. Where max_pending is small it is as much longer: a row of its bytes is short.
constexpr uint64_t hold_steps = 17;
constexpr uint64_t usual_pending_max = 64 * 1024 * 1024;

// A row is a crowd's when it is so long; and whoever publishes is taken for one of it for so long.
constexpr uint16_t crowd_hold_ms = 10;
constexpr int64_t pressed_for_ns = core::second_ns;

// What a crowd may say in a turn to one that has just been slow.
constexpr size_t bitten_bytes_max = 1024 * 1024;

/// Whether its route is known, and leads to no queue group, whose members are not all slow if one
/// is.
bool publishes_to_one(Connection& publisher) {
  const RouteMemo& memo = publisher.route_memo();
  return memo.version() != 0 && memo.plan().queues.empty();
}

}  // namespace

// What waits for the receiver, with so many bytes that have just come, is much, which holds its
// publishers, or too much, which ends it. Returns for how long they are to be held.
uint16_t Router::settle(Connection& receiver, bool sole, size_t bytes) {
  const uint64_t pending_max = shard_.options().limits.pending_bytes_max;
  const uint64_t pending = receiver.outbox().pending_bytes();
  receiver.warn_of_slowness();
  if (pending > pending_max) {
    receiver.close(CloseReason::slow_consumer_pending);
    return 0;
  }
  if (!sole) {
    const bool slow = pending * slow_denominator > pending_max * slow_numerator;
    return slow && receiver.progresses(sole) ? stall_ms : 0;
  }
  if (!receiver.progresses(sole)) return 0;
  const uint64_t half = pending_max / 2;
  const uint64_t steps = (pending - half) * hold_steps / (pending_max - half);
  const uint64_t smaller = std::max<uint64_t>(1, usual_pending_max / pending_max);
  const uint16_t hold_ms = receiver.place_in_row((bytes << steps) / 4 * smaller);
  if (hold_ms >= crowd_hold_ms) {
    presses_ = true;
    slow_slot_ = receiver.slot();
    slow_generation_ = receiver.generation();
  }
  return hold_ms;
}

// One who publishes to several is read to the end of what has come. Who publishes to one is stopped
// behind his bite.
void Router::hold(Connection& publisher, bool sole, uint16_t hold_ms) {
  sole ? hold_for_sole(shard_.id(), publisher, hold_ms) : publisher.want_stall(hold_ms);
}

void Router::hold_for_sole(ShardId there, Connection& publisher, uint16_t hold_ms) {
  press(there, publisher, hold_ms);
  if (publisher.has_bitten()) publisher.stall(hold_ms);
}

void Router::on_hold(ShardId there, const StallRecord& record) {
  if (record.sole && record.stall_ms == 0) {
    pressures_[there].hold_ms = 0;
    return;
  }
  Connection* const publisher = shard_.find({record.slot, record.generation});
  if (publisher == nullptr) return;
  record.sole ? hold_for_sole(there, *publisher, record.stall_ms)
              : publisher->stall_for_other_shard(record.stall_ms);
}

void Router::hold_back(ShardId origin, const MessageHead& head, bool sole, uint16_t hold_ms) {
  const StallRecord record{RecordKind::stall, sole, hold_ms, head.origin_slot,
                           head.origin_generation};
  if (origin == shard_.id()) return on_hold(origin, record);
  shard_.link().send_stall(origin, record);
}

// ---- A crowd that publishes to one.

// Two who publish on one subject are a crowd.
void Router::press(ShardId there, Connection& publisher, uint16_t hold_ms) {
  if (!publishes_to_one(publisher)) return;
  Pressure& pressure = pressures_[there];
  const std::string_view subject = publisher.route_memo().subject();
  const int64_t now_ns = shard_.now_ns();
  if (now_ns >= pressure.until_ns || pressure.subject != subject ||
      pressure.account != publisher.account()) {
    if (hold_ms < crowd_hold_ms) return;
    pressure.publisher = publisher.slot();
    pressure.account = publisher.account();
    pressure.subject = subject;
    pressure.is_crowd = false;
  }
  pressure.is_crowd |= pressure.publisher != publisher.slot();
  pressure.until_ns = now_ns + pressed_for_ns;
  pressure.hold_ms = hold_ms;
}

bool Router::is_pressed_by(const Pressure& pressure, Connection& publisher) const {
  return shard_.now_ns() < pressure.until_ns && publisher.account() == pressure.account &&
         publishes_to_one(publisher) && publisher.route_memo().subject() == pressure.subject;
}

// How many bytes of a run are published before it is asked again how things are there.
size_t Router::bite_of(ShardId there) const {
  if (pressures_[there].hold_ms > 0) return Connection::bite_bytes;
  return bitten_bytes_max - std::min(bitten_bytes_, bitten_bytes_max);
}

// What was said to be held for others is held for this one as well: it will hear so, but before
// that it could say much.
void Router::bite(Connection& publisher, ShardId there, size_t bytes) {
  if (there == shard_.id()) return;
  bitten_bytes_ += bytes;
  if (bitten_bytes_ >= bitten_bytes_max) publisher.wait_for_turn();
  const uint16_t hold_ms = pressures_[there].hold_ms;
  if (hold_ms > 0 && publisher.has_bitten()) publisher.stall(hold_ms);
}

void Router::end_turn() {
  bitten_bytes_ = 0;
  if (!presses_) return;
  const Connection* const slow = shard_.find({slow_slot_, slow_generation_});
  if (slow != nullptr && slow->open() && shard_.is_slow(*slow)) return;
  presses_ = false;
  const StallRecord none{RecordKind::stall, true, 0, 0, 0};
  for (ShardId to = 0; to < pressures_.size(); to++) {
    to == shard_.id() ? on_hold(to, none) : shard_.link().send_stall(to, none);
  }
}

}  // namespace peal::server
