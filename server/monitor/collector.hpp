#pragma once
// Asks the shards and puts their answers together, within a budget of their time. It knows slots,
// slices and clocks; what becomes of a picture it must never know.
//
// A shard is asked as long as monitoring has taken less than a twentieth of its time lately. Past
// that, what was seen last is shown again for up to a second; then the asker waits until there is
// budget. So any number of scrapers costs the messages the same, and never much.
//
// One thread, the monitor's. Its functions return nullptr when a shard does not answer in time.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/server_state.hpp"
#include "server/watch.hpp"

namespace peal::server::monitor {

struct Counters {
  std::vector<ShardPicture> shards;
  int64_t taken_ns = 0;  // Of the shard that took longest, for the last answer.

  uint64_t sum(uint64_t ShardStats::*counter) const {
    uint64_t total = 0;
    for (const ShardPicture& shard : shards) total += shard.stats.*counter;
    return total;
  }
  uint64_t sum(uint64_t ShardPicture::*number) const {
    uint64_t total = 0;
    for (const ShardPicture& shard : shards) total += shard.*number;
    return total;
  }
  uint64_t closed(CloseReason reason) const {
    uint64_t total = 0;
    for (const ShardPicture& shard : shards) {
      total += shard.stats.closed[static_cast<size_t>(reason)];
    }
    return total;
  }
  uint64_t slow_consumers() const {
    return closed(CloseReason::slow_consumer_pending) +
           closed(CloseReason::slow_consumer_write_deadline);
  }
};

struct SubscriptionsAsked {
  std::string_view subject = {};  // Those that get what is published to it; empty: all.
  std::string_view account = {};  // The same.
  size_t offset = 0;
  size_t listed_max = 0;
};

/// How many they are, and those of them that were to be listed.
struct SubscriptionList {
  uint64_t total = 0;
  std::vector<SubscriptionPicture> rows;
};

class Collector {
 public:
  /// `wake` brings a shard to a turn; it is called from this thread.
  Collector(ServerState& state, std::function<void(ShardId)> wake);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  /// False when no descriptor was left by which shards tell that they have answered. Then nothing
  /// may be asked.
  bool running() const { return bell_ >= 0; }

  /// What they return lives until the next call.
  const Counters* counters();
  const std::vector<ConnectionPicture>* connections(bool open);
  const SubscriptionList* subscriptions(const SubscriptionsAsked& asked);
  const std::vector<SubscriptionPicture>* subscriptions_of(ShardId shard,
                                                           const ConnectionPicture& connection,
                                                           size_t count_max);

  /// Has every shard log a connection, or what is sent on a subject, for so long. False when one
  /// does not answer.
  bool trace(uint64_t cid, const std::string& subject, int64_t for_ns);

  /// Which shard serves a connection of the list that connections() gave last.
  ShardId shard_of(size_t index) const;

  /// Shard time that was spent on all questions so far, of the shard that spent most.
  int64_t spent_ns() const { return spent_ns_; }

 private:
  struct Listing {
    std::vector<ConnectionPicture> rows;
    std::vector<ShardId> shards;  // Of each row.
    int64_t at_ns = -1;
  };

  bool exchange(const std::vector<ShardId>& shards);
  bool has_budget();
  void await_budget();
  template <typename Take>
  bool list(WatchRequest request, std::vector<ShardId> shards, Take take);

  ServerState& state_;
  const std::function<void(ShardId)> wake_;
  const std::vector<ShardId> all_;
  int bell_;
  int64_t budget_ns_;
  int64_t budget_at_ns_ = 0;
  int64_t spent_ns_ = 0;
  Counters counters_;
  int64_t counters_at_ns_ = -1;
  Listing open_;
  Listing closed_;
  const Listing* last_listing_ = &open_;
  SubscriptionList subscriptions_;
};

}  // namespace peal::server::monitor
