// What a shard holds, watched: whoever holds most goes when all shards together hold too much, and
// nobody subscribes any more when an index is nearly full.

#include <algorithm>

#include "core/clock.hpp"
#include "server/shard.hpp"

namespace peal::server {

static constexpr int64_t memory_watch_every_ns = 10 * core::millisecond_ns;
// By such a part of the budget a shard may grow without looking.
static constexpr int64_t memory_budget_parts = 64;

// Now and then; at once when this turn brought much. Over the budget, in each turn, but for those
// in which the one that was cut off last has still to give back what it held: the next one may be
// spared.
bool Shard::memory_watch_due() const {
  if (now_ns() >= memory_watch_ns_) return true;
  if (over_budget_) return find(cut_off_) == nullptr;
  const auto budget = static_cast<int64_t>(state_.memory_budget_bytes);
  return core::ledger().total() - memory_watched_bytes_ > budget / memory_budget_parts;
}

// Over the budget, whoever holds most of it on any shard is cut off first. Each shard says how much
// its largest holds, and the one that says most acts. Meanwhile publishers are held at their floor.
// Who holds less than an equal share of the budget is spared: all like that would be within it, so
// what is too much is with others, who have not given back yet.
void Shard::watch_memory() {
  if (!memory_watch_due()) return;
  memory_watch_ns_ = now_ns() + memory_watch_every_ns;
  core::ledger().set(core::Purpose::interest, interest_.memory_bytes());
  watch_index();
  memory_watched_bytes_ = core::ledger().total();
  ServerState::ShardWords& words = state_.shard_words[id()];
  words.memory_bytes.store(memory_watched_bytes_, std::memory_order_relaxed);
  over_budget_ = state_.memory_bytes() > static_cast<int64_t>(state_.memory_budget_bytes);
  if (!over_budget_) {
    if (words.largest_holding_bytes.load(std::memory_order_relaxed) != 0) {
      words.largest_holding_bytes.store(0, std::memory_order_relaxed);
    }
    return;
  }

  Connection* largest = nullptr;
  for (const auto& connection : connections_) {
    if (!connection || !connection->open()) continue;
    if (largest == nullptr || connection->held_bytes() > largest->held_bytes()) {
      largest = connection.get();
    }
  }
  const uint64_t held_bytes = largest == nullptr ? 0 : largest->held_bytes();
  words.largest_holding_bytes.store(held_bytes, std::memory_order_relaxed);
  for (const ServerState::ShardWords& other : state_.shard_words) {
    if (other.largest_holding_bytes.load(std::memory_order_relaxed) > held_bytes) return;
  }
  const uint64_t connections = std::max<uint64_t>(1, state_.open_connections());
  if (largest == nullptr || held_bytes <= state_.memory_budget_bytes / connections) return;
  cut_off_ = handle(*largest);
  largest->close(CloseReason::memory_budget);
}

// What a shard is told by others it must have room for, so all stop before one is full.
void Shard::watch_index() {
  if (!index_full_ && interest_.nearly_full()) {
    index_full_ = true;
    state_.full_indexes.fetch_add(1, std::memory_order_relaxed);
    log_.warning("the index of subjects is nearly full, at {} bytes: subscriptions are refused",
                 interest_.memory_bytes());
  } else if (index_full_ && interest_.has_room()) {
    index_full_ = false;
    state_.full_indexes.fetch_sub(1, std::memory_order_relaxed);
    log_.info("the index of subjects has room again");
  }
}

}  // namespace peal::server
