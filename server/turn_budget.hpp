#pragma once
// What a turn of a shard may do, and how its clients share that. A message for a thousand
// subscribers is as much work as a thousand messages: a turn ends when it has done enough, or
// whoever else has something to say would wait long for its end. And who publishes for many has a
// share of the turn at a time, or one of them could take all of it. It knows numbers; who the
// clients are is the shard's.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace peal::server {

/// To give a message to one subscription: its bytes are copied once here, and once by the kernel.
constexpr uint64_t work_of(size_t message_bytes) { return 1 + message_bytes / 256; }

class TurnBudget {
 public:
  /// A share is no smaller part of a turn, or it would not be worth the way to it. With the default
  /// turn that is as much as one read of short messages is, each for one subscription.
  static constexpr uint64_t shares_max = 64;

  explicit TurnBudget(uint64_t work_per_turn) : per_turn_(work_per_turn) {}

  uint64_t per_turn() const { return per_turn_; }

  /// So many clients wait. There are about as many others as there were in the turn before.
  void begin_turn(size_t waiting) {
    const uint64_t clients = std::max<uint64_t>(waiting, std::exchange(clients_, 0));
    turn_end_ = here_ + per_turn_;
    share_ = std::max<uint64_t>(1, per_turn_ / std::clamp<uint64_t>(clients, 1, shares_max));
    turn_++;
  }
  /// The next client has its share. `last_turn` is the client's, for this alone.
  void begin_share(uint32_t& last_turn) {
    clients_ += std::exchange(last_turn, turn_) != turn_;
    share_end_ = here_ + elsewhere_ + share_;
  }

  void spend(uint64_t work) { here_ += work; }
  /// What other shards will have to do, as far as is known: it fills the share, not the turn.
  void spend_elsewhere(uint64_t work) { elsewhere_ += work; }

  /// Since the shard began.
  uint64_t spent() const { return here_; }

  bool turn_is_full() const { return here_ >= turn_end_; }
  bool share_is_full() const { return turn_is_full() || here_ + elsewhere_ >= share_end_; }

  /// How many messages of so much work each the share still takes: one at least.
  size_t room_in_share(uint64_t here_each, uint64_t elsewhere_each) const {
    if (share_is_full()) return 1;
    const uint64_t each = here_each + elsewhere_each;
    if (each == 0) return SIZE_MAX;
    const uint64_t of_share = (share_end_ - here_ - elsewhere_) / each;
    const uint64_t of_turn = here_each == 0 ? of_share : (turn_end_ - here_) / here_each;
    return std::min(of_share, of_turn) + 1;
  }

 private:
  const uint64_t per_turn_;
  uint64_t here_ = 0;
  uint64_t elsewhere_ = 0;
  uint64_t turn_end_ = 0;
  uint32_t turn_ = 0;
  uint32_t clients_ = 0;  // Of this turn, so far.
  uint64_t share_ = 0;
  uint64_t share_end_ = 0;
};

}  // namespace peal::server
