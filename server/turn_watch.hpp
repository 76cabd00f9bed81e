#pragma once
// Looks at how long each turn of a shard took: one that was too long is counted, and logged with
// what it did. It knows sums and times; what they are sums of, its shard says. Asked once a turn.

#include <cstdint>

#include "core/log.hpp"
#include "server/line_quota.hpp"

namespace peal::server {

/// Sums since the start, as they stand between two turns.
struct TurnSums {
  uint64_t completions = 0;
  uint64_t records = 0;  // From other shards.
  uint64_t in_messages = 0;
  uint64_t out_messages = 0;
  uint64_t connections_released = 0;
  uint64_t subscriptions_released = 0;
};

class TurnWatch {
 public:
  /// Turns that are logged one by one; the others are counted in a line.
  static constexpr unsigned lines_per_second = 1;

  /// The turn that has ended took `turn_ns`, and left these sums. True when it was too long: of
  /// `bound_ns` or more, unless that is 0.
  bool ended(const TurnSums& sums, int64_t turn_ns, int64_t bound_ns, int64_t now_ns,
             unsigned shard, core::Log& log) {
    const bool slow = turn_ns >= bound_ns && bound_ns > 0;
    if (slow) [[unlikely]]
      say(sums, turn_ns, now_ns, shard, log);
    before_ = sums;
    return slow;
  }

 private:
  void say(const TurnSums& sums, int64_t turn_ns, int64_t now_ns, unsigned shard, core::Log& log);

  TurnSums before_;
  LineQuota lines_{lines_per_second};
};

}  // namespace peal::server
