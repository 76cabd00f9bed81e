#pragma once
// What all shards of a server share: the settings, which a reload replaces as a whole, facts that
// never change after the start, and a few words that are written when a connection comes or goes,
// never when a message does.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/mailbox.hpp"
#include "server/helper_inbox.hpp"
#include "server/helper_pool.hpp"
#include "server/rate_limit.hpp"
#include "server/settings.hpp"
#include "server/watch.hpp"

namespace peal::server {

enum class Phase : uint8_t { running, lame_duck, stopping };

struct ServerState {
  ServerState(Settings chosen, unsigned shards)
      : settings(std::move(chosen)),
        shard_words(shards),
        helper_inboxes(shards),
        helpers(std::max(1u, shards / 2)) {}

  SettingsBoard settings;
  RateLimit tls_rate;                            // Of newcomers who speak TLS.
  std::atomic<uint32_t> tls_handshakes{0};       // Under way.
  std::atomic<uint32_t> rooms_behind_proofs{0};  // Taken.
  uint64_t memory_budget_bytes = INT64_MAX;
  std::atomic<uint32_t> full_indexes{0};     // Of shards; while there are any nobody may subscribe.
  std::unique_ptr<WatchSlot[]> watch_slots;  // By shard; none when nobody watches.
  uint64_t hash_seed = 0;  // Of the interest indices, so that no client can choose collisions.
  /// What a turn of a shard gives to subscriptions (see work_of()), of what other shards say and of
  /// what its own clients publish, before it ends: some milliseconds of each.
  uint64_t work_per_turn = 128 * 1024;

  std::atomic<Phase> phase{Phase::running};
  std::atomic<uint64_t> roll_call{0};  // Each shard answers a new number in its next turn.
  std::atomic<uint64_t> next_cid{1};
  std::atomic<bool> accepting{true};  // Newcomers may still be placed on any shard.

  /// One line for each shard, so that counting a connection disturbs nobody.
  struct alignas(core::cache_line_bytes) ShardWords {
    std::atomic<uint32_t> connections{0};  // Placed on the shard, and not gone yet.
    std::atomic<uint32_t> open{0};         // Of those, whom it has not begun to close.
    std::atomic<int64_t> memory_bytes{0};
    std::atomic<uint64_t> answered{0};               // The last roll call that it heard.
    std::atomic<uint64_t> largest_holding_bytes{0};  // Of one connection; while over the budget.
  };
  std::vector<ShardWords> shard_words;

  std::vector<HelperInbox> helper_inboxes;  // One for each shard.
  HelperPool helpers;                       // The first to go.

  uint32_t connections() const {
    uint32_t sum = 0;
    for (const ShardWords& words : shard_words) {
      sum += words.connections.load(std::memory_order_relaxed);
    }
    return sum;
  }
  /// As counted against max_connections: who is refused, and lingers to be told so, keeps out
  /// nobody.
  uint32_t open_connections() const {
    uint32_t sum = 0;
    for (const ShardWords& words : shard_words) {
      sum += words.open.load(std::memory_order_relaxed);
    }
    return sum;
  }
  int64_t memory_bytes() const {
    int64_t sum = 0;
    for (const ShardWords& words : shard_words) {
      sum += words.memory_bytes.load(std::memory_order_relaxed);
    }
    return sum;
  }
};

}  // namespace peal::server
