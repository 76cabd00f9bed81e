#include "server/turn_watch.hpp"

namespace peal::server {

void TurnWatch::say(const TurnSums& sums, int64_t turn_ns, int64_t now_ns, unsigned shard,
                    core::Log& log) {
  const auto say_left_out = [&](uint64_t turns) {
    log.warning("{} more turns of shard {} were slow", turns, shard);
  };
  if (!lines_.permits(now_ns, say_left_out)) return;
  log.warning(
      "a turn of shard {} took {} ms: {} completions, {} records from other shards, {} messages "
      "in, {} out, {} connections and {} subscriptions released",
      shard, turn_ns / core::millisecond_ns, sums.completions - before_.completions,
      sums.records - before_.records, sums.in_messages - before_.in_messages,
      sums.out_messages - before_.out_messages,
      sums.connections_released - before_.connections_released,
      sums.subscriptions_released - before_.subscriptions_released);
}

}  // namespace peal::server
