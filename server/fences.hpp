#pragma once
// PONGs that wait for other shards. A PONG promises that every subscription its client made before
// the PING is in force on every shard, and that whatever other shards had handed over for it by
// then stands before the PONG. It knows epochs and lane positions; it must never know a client.

#include <cstdint>
#include <vector>

#include "server/shard_link.hpp"

namespace peal::server {

class Fences {
 public:
  explicit Fences(const ShardLink& link) : link_(link) {}

  /// Whether a PONG may be written at once, which is the usual case.
  bool reached_already(uint64_t interest_epoch) const {
    for (ShardId from = 0; from < link_.shards(); from++) {
      if (from == link_.here()) continue;
      if (link_.data_head(from) != link_.data_consumed(from)) return false;
    }
    return link_.acknowledged(interest_epoch);
  }

  void add(uint32_t slot, uint32_t generation, uint64_t interest_epoch) {
    waiting_.push_back({slot, generation, interest_epoch});
    for (ShardId from = 0; from < link_.shards(); from++) {
      heads_.push_back(from == link_.here() ? 0 : link_.data_head(from));
    }
  }

  /// Calls `act(slot, generation)` for each that has been reached since.
  template <typename Act>
  void check(Act&& act) {
    size_t kept = 0;
    const size_t stride = link_.shards();
    reached_.clear();
    for (size_t i = 0; i < waiting_.size(); i++) {
      if (reached(i)) {
        reached_.push_back(waiting_[i]);
        continue;
      }
      if (kept != i) {
        waiting_[kept] = waiting_[i];
        for (size_t k = 0; k < stride; k++) heads_[kept * stride + k] = heads_[i * stride + k];
      }
      kept++;
    }
    waiting_.resize(kept);
    heads_.resize(kept * stride);
    for (const Fence& fence : reached_) act(fence.slot, fence.generation);
  }

  bool empty() const { return waiting_.empty(); }

 private:
  struct Fence {
    uint32_t slot;
    uint32_t generation;
    uint64_t interest_epoch;
  };

  bool reached(size_t i) const {
    for (ShardId from = 0; from < link_.shards(); from++) {
      if (from == link_.here()) continue;
      if (link_.data_consumed(from) < heads_[i * link_.shards() + from]) return false;
    }
    return link_.acknowledged(waiting_[i].interest_epoch);
  }

  const ShardLink& link_;
  std::vector<Fence> waiting_;
  std::vector<uint64_t> heads_;  // One row of lane positions for each that waits.
  std::vector<Fence> reached_;
};

}  // namespace peal::server
