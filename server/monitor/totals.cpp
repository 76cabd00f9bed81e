#include "server/monitor/totals.hpp"

#include <utility>

#include "core/clock.hpp"

namespace peal::server::monitor {

void Totals::log_line() {
  const Counters* const counters = context_.collector.counters();
  if (counters == nullptr) return context_.log.warning("stats - {}", no_answer().body);
  const int64_t now_ns = core::monotonic_ns();
  const double seconds = static_cast<double>(now_ns - std::exchange(at_ns_, now_ns)) / 1e9;
  int64_t busy_ns = 0;
  for (const ShardPicture& shard : counters->shards) busy_ns += shard.busy_ns;
  const auto rate = [seconds](uint64_t now, uint64_t& before) {
    return static_cast<double>(now - std::exchange(before, now)) / seconds;
  };
  const double in_messages = rate(counters->sum(&ShardStats::in_messages), in_messages_);
  const double in_bytes = rate(counters->sum(&ShardStats::in_bytes), in_bytes_);
  const double out_messages = rate(counters->sum(&ShardStats::out_messages), out_messages_);
  const double out_bytes = rate(counters->sum(&ShardStats::out_bytes), out_bytes_);
  const double busy = static_cast<double>(busy_ns - std::exchange(busy_ns_, busy_ns)) / 1e9 /
                      seconds / static_cast<double>(counters->shards.size());
  context_.log.info(
      "stats - {} connections, {} subscriptions, in {:.0f} msgs/s {:.0f} bytes/s, out {:.0f} "
      "msgs/s "
      "{:.0f} bytes/s, busy {:.0f}%, memory {} bytes, slow consumers {}",
      counters->sum(&ShardPicture::connections), counters->sum(&ShardPicture::subscriptions),
      in_messages, in_bytes, out_messages, out_bytes, busy * 100, ProcessUse::resident_bytes(),
      counters->slow_consumers());
}

}  // namespace peal::server::monitor
