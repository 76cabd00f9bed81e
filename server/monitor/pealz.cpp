// /pealz: what the page and peal-top show beyond nats-server's endpoints, and the page itself.

#include "core/clock.hpp"
#include "protocol/utf8.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/monitor/go_text.hpp"
#include "server/monitor/page/page.hpp"
#include "server/version.hpp"

namespace peal::server::monitor {
namespace {

using protocol::JsonWriter;

constexpr size_t subjects_shown = 20;

void write_histogram(JsonWriter& json, const char* name, const Counters& counters,
                     TurnHistogram ShardStats::*histogram) {
  json.key(name).begin_array();
  for (size_t bucket = 0; bucket < TurnHistogram::buckets; bucket++) {
    uint64_t count = 0;
    for (const ShardPicture& shard : counters.shards) {
      count += (shard.stats.*histogram).count(bucket);
    }
    json.value(count);
  }
  json.end_array();
}

void write_shard(JsonWriter& json, size_t number, const ShardPicture& shard) {
  json.begin_object();
  json.key("shard").value(uint64_t{number});
  json.key("busy_ns").value(shard.busy_ns);
  json.key("connections").value(shard.connections);
  json.key("subscriptions").value(shard.subscriptions);
  json.key("in_msgs").value(shard.stats.in_messages);
  json.key("in_bytes").value(shard.stats.in_bytes);
  json.key("out_msgs").value(shard.stats.out_messages);
  json.key("out_bytes").value(shard.stats.out_bytes);
  json.key("kernel_enters").value(shard.reactor.enters);
  json.key("stalls").value(shard.stats.stalls);
  json.key("mailbox_bytes").value(shard.mailbox_bytes);
  json.key("mailbox_capacity_bytes").value(shard.mailbox_capacity_bytes);
  json.key("receive_buffers_free").value(shard.receive_buffers_free);
  json.end_object();
}

void write_limit(JsonWriter& json, const char* name, uint64_t used, uint64_t most) {
  json.begin_object();
  json.key("name").value(name).key("used").value(used).key("max").value(most);
  json.end_object();
}

}  // namespace

Response pealz(Context& context, Query&) {
  const auto* const connections = context.collector.connections(true);
  if (connections == nullptr) return no_answer();
  context.subjects.sample(*connections, core::monotonic_ns());
  uint64_t pending_most = 0;
  uint64_t slow = 0;
  for (const ConnectionPicture& connection : *connections) {
    pending_most = std::max(pending_most, connection.pending_bytes);
    slow += connection.slow ? 1 : 0;
  }
  const Counters* const counters = context.collector.counters();
  if (counters == nullptr) return no_answer();
  const ServerState& state = context.state;
  const Options& options = context.options();

  JsonWriter json = begin_answer(context);
  json.key("server_name").value(protocol::utf8_text(context.info().server_name));
  json.key("version").value(version);
  json.key("uptime").value(uptime_text(context.uptime_ns()));
  json.key("uptime_ns").value(context.uptime_ns());
  json.key("mem").value(ProcessUse::resident_bytes());
  json.key("slow_now").value(slow);
  json.key("slow_consumers").value(counters->slow_consumers());
  json.key("max_pending").value(options.limits.pending_bytes_max);
  json.key("shards").begin_array();
  for (size_t i = 0; i < counters->shards.size(); i++) write_shard(json, i, counters->shards[i]);
  json.end_array();
  // Bucket i counts those below 2^i microseconds.
  write_histogram(json, "turn_times", *counters, &ShardStats::turn_times);
  write_histogram(json, "message_times", *counters, &ShardStats::message_times);
  json.key("limits").begin_array();
  write_limit(json, "connections", connections->size(), options.limits.connections_max);
  write_limit(json, "open files", ProcessUse::open_descriptors(), ProcessUse::descriptors_max());
  write_limit(json, "pending for one client", pending_most, options.limits.pending_bytes_max);
  write_limit(json, "memory budget",
              static_cast<uint64_t>(std::max<int64_t>(0, state.memory_bytes())),
              state.memory_budget_bytes);
  json.end_array();
  json.key("subjects").begin_array();
  for (const auto& [subject, rate] : context.subjects.top(subjects_shown)) {
    json.begin_object();
    json.key("subject").value(protocol::utf8_text(subject)).key("msgs_per_s").value(rate);
    json.end_object();
  }
  json.end_array();
  json.key("closed").begin_object();
  for (size_t reason = 1; reason < close_reasons; reason++) {
    const uint64_t count = counters->closed(static_cast<CloseReason>(reason));
    if (count > 0) json.key(text_of(static_cast<CloseReason>(reason))).value(count);
  }
  json.end_object();
  return end_answer(json);
}

Response page(Context&, Query&) {
  return {200, "text/html; charset=utf-8", std::string(page_text)};
}

}  // namespace peal::server::monitor
