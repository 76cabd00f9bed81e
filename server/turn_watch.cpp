#include "server/turn_watch.hpp"

#include <utility>

namespace peal::server {

void TurnWatch::say(const TurnSums& sums, int64_t turn_ns, int64_t now_ns, unsigned shard,
                    core::Log& log) {
  constexpr int64_t second_ns = 1'000'000'000;
  constexpr int64_t millisecond_ns = 1'000'000;
  if (now_ns >= second_ends_ns_) {
    second_ends_ns_ = now_ns + second_ns;
    lines_ = 0;
    if (left_out_ > 0) {
      log.warning("{} more turns of shard {} were slow", std::exchange(left_out_, 0), shard);
    }
  }
  if (lines_ >= lines_per_second) {
    left_out_++;
    return;
  }
  lines_++;
  log.warning(
      "a turn of shard {} took {} ms: {} completions, {} records from other shards, {} messages "
      "in, "
      "{} out, {} connections and {} subscriptions released",
      shard, turn_ns / millisecond_ns, sums.completions - before_.completions,
      sums.records - before_.records, sums.in_messages - before_.in_messages,
      sums.out_messages - before_.out_messages,
      sums.connections_released - before_.connections_released,
      sums.subscriptions_released - before_.subscriptions_released);
}

}  // namespace peal::server
