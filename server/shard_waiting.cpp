// Those who wait for something of their shard, and when they go on: for a fence, the end of a
// stall, room in a mailbox, a share of the work, their interest to be told, a receive buffer.

#include <algorithm>

#include "server/shard.hpp"

namespace peal::server {

// Parked connections are resumed when a mailbox has at least this part of it free, so that they do
// not come back for one record each.
static constexpr size_t room_to_resume_part = 4;

void Shard::resume_waiting() {
  if (!fences_.empty()) {
    fences_.check([this](uint32_t slot, uint32_t generation) {
      if (Connection* connection = find({slot, generation})) connection->on_fence_reached();
    });
  }
  while (!stalled_.empty() && stalled_.front().until_ns <= now_ns()) {
    const Handle each = stalled_.front().connection;
    std::pop_heap(stalled_.begin(), stalled_.end());
    stalled_.pop_back();
    if (Connection* connection = find(each)) {
      connection->resume(pause_stall);
    }
  }
  if (parked_count_ > 0) resume_parked();
  give_shares();
  for (const auto& listener : listeners_) listener->on_turn(now_ns());
}

// Whoever has had one and wants more comes behind the others, in this turn if they leave enough.
// Those who come with something new have it later than those who wait, but for their first message:
// who says little has no share to wait for.
void Shard::give_shares() {
  while (!waiting_.empty() && !budget_.turn_is_full()) {
    const Handle each = waiting_.front();
    waiting_.pop_front();
    if (Connection* connection = find(each)) {
      connection->resume(pause_share);
    }
  }
}

void Shard::resume_parked() {
  for (ShardId target = 0; target < parked_.size(); target++) {
    auto& waiting = parked_[target];
    // Whoever parks again comes behind the others, and is not asked twice in a turn.
    for (size_t count = waiting.size(); count > 0; count--) {
      if (!link_.has_room(target, bytes_to_resume(target))) break;
      const Handle each = waiting.front().connection;
      waiting.pop_front();
      parked_count_--;
      if (Connection* connection = find(each)) {
        connection->resume(pause_room);
      }
    }
  }
}

// Behind those who have a message, and behind the closed: who subscribes without end would leave no
// room to either.
void Shard::resume_telling() {
  for (size_t count = telling_.size(); count > 0 && link_.tell_interest(); count--) {
    const Handle each = telling_.front();
    telling_.pop_front();
    if (Connection* connection = find(each)) {
      connection->resume(pause_interest);
    }
  }
}

size_t Shard::bytes_to_resume(ShardId target) const {
  return std::max(parked_[target].front().record_bytes,
                  link_.record_bytes_max() / room_to_resume_part);
}

// Buffers have come back: those whose receive found none are armed again, as many as may hope for
// one.
void Shard::arm_starved() {
  for (unsigned buffers = reactor_.receive_buffers(); buffers > 0 && !starved_.empty(); buffers--) {
    const Handle each = starved_.front();
    starved_.pop_front();
    Connection* connection = find(each);
    if (connection != nullptr) connection->arm_recv_if_wanted();
  }
}

}  // namespace peal::server
