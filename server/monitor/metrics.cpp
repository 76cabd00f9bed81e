// /metrics: what is counted, for Prometheus, in its text format. Names follow its conventions: base
// units, `_total` for what only grows, a label where a sum over it means something.

#include <fmt/format.h>

#include <iterator>
#include <string>

#include "core/clock.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/version.hpp"

namespace peal::server::monitor {
namespace {

using core::second_ns;

constexpr std::string_view text_format = "text/plain; version=0.0.4; charset=utf-8";

constexpr std::string_view purpose_names[] = {"chunks", "payload", "interest", "links"};
static_assert(std::size(purpose_names) == core::purposes);

/// A counter of a shard's, and how it is shown.
struct Counter {
  std::string_view name;
  uint64_t ShardStats::*counter;
  std::string_view help;
};

constexpr Counter stats_counters[] = {
    {"messages_received", &ShardStats::in_messages, "Messages that clients published."},
    {"payload_received_bytes", &ShardStats::in_bytes, "Their headers and payloads."},
    {"messages_sent", &ShardStats::out_messages, "Messages delivered to clients."},
    {"payload_sent_bytes", &ShardStats::out_bytes, "Their headers and payloads."},
    {"connections_accepted", &ShardStats::connections_total, "Connections that came."},
    {"subscriptions_made", &ShardStats::subscriptions_total, "Subscriptions that were made."},
    {"turns", &ShardStats::turns, "Turns of the shard's loop."},
    {"lent_turns", &ShardStats::lent_turns, "Turns that another shard's thread ran."},
    {"slow_turns", &ShardStats::slow_turns, "Turns that took slow_turn or longer."},
    {"holds", &ShardStats::holds,
     "Times the shard did not run for so long that its clients were given their time anew."},
    {"shard_messages_sent", &ShardStats::messages_to_shards, "Records given to other shards."},
    {"shard_messages_received", &ShardStats::messages_from_shards,
     "Records taken from other shards."},
    {"mailbox_full", &ShardStats::parked,
     "Commands that waited, because the mailbox of another shard was full."},
    {"fences_waited", &ShardStats::fences_waited, "PONGs that waited for other shards."},
    {"stalls", &ShardStats::stalls, "Times a publisher was held for a slow subscriber."},
    {"slow_consumer_warnings", &ShardStats::slow_warnings,
     "Connections that more than half of max_pending waited for."},
    {"receive_buffers_exhausted", &ShardStats::receive_starved,
     "Receives that found no buffer and waited for one."},
    {"no_responders", &ShardStats::no_responders, "Requests answered by 503: nobody listened."},
    {"queue_rerouted", &ShardStats::queue_rerouted,
     "Queue messages sent on because the chosen member had left."},
    {"queue_unclaimed", &ShardStats::queue_unclaimed,
     "Queue messages dropped because no member was left."},
    {"side_list_dropped", &ShardStats::side_list_dropped,
     "Records between shards dropped because their list was full."},
    {"queue_groups_dropped", &ShardStats::queue_groups_dropped,
     "Queue groups left out because one record holds no more."},
    {"accept_errors", &ShardStats::accept_errors, "Connections that could not be accepted."},
    {"auth_failures", &ShardStats::admissions_refused,
     "Connections that could not say who they are, or not in time."},
    {"publishes_denied", &ShardStats::publishes_denied, "Messages that permissions kept out."},
    {"subscriptions_denied", &ShardStats::subscriptions_denied,
     "Subscriptions that permissions kept out."},
    {"tls_handshakes", &ShardStats::tls_handshakes,
     "TLS handshakes that were done; those that failed are closes with the reason tls_handshake."},
    {"tls_resumptions", &ShardStats::tls_resumptions,
     "Of the handshakes, those that went on with an earlier session."},
};

class Text {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP peal_{0} {2}\n# TYPE peal_{0} {1}\n", name,
                   type, help);
  }
  template <typename Number>
  void add(Number number) {
    fmt::format_to(std::back_inserter(text_), "peal_{} {}\n", name_, number);
  }
  template <typename Number>
  void add(std::string_view labels, Number number) {
    fmt::format_to(std::back_inserter(text_), "peal_{}{{{}}} {}\n", name_, labels, number);
  }
  /// A histogram of one shard's.
  void add(std::string_view labels, const TurnHistogram& histogram) {
    uint64_t below = 0;
    for (size_t bucket = 0; bucket < TurnHistogram::buckets; bucket++) {
      below += histogram.count(bucket);
      const bool last = bucket + 1 == TurnHistogram::buckets;
      fmt::format_to(std::back_inserter(text_), "peal_{}_bucket{{{},le=\"{}\"}} {}\n", name_,
                     labels, last ? "+Inf" : fmt::format("{:g}", TurnHistogram::seconds(bucket)),
                     below);
    }
    fmt::format_to(std::back_inserter(text_),
                   "peal_{0}_sum{{{1}}} {2}\npeal_{0}_count{{{1}}} {3}\n", name_, labels,
                   static_cast<double>(histogram.sum_ns()) / second_ns, below);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

std::string shard_label(size_t shard) { return fmt::format("shard=\"{}\"", shard); }

template <typename Of>
void per_shard(Text& text, const Counters& counters, std::string_view name, std::string_view type,
               std::string_view help, Of of) {
  text.begin(name, type, help);
  for (size_t shard = 0; shard < counters.shards.size(); shard++) {
    text.add(shard_label(shard), of(counters.shards[shard]));
  }
}

void write_shards(Text& text, const Counters& counters) {
  for (const auto& [name, counter, help] : stats_counters) {
    per_shard(text, counters, fmt::format("{}_total", name), "counter", help,
              [counter = counter](const ShardPicture& shard) { return shard.stats.*counter; });
  }
  per_shard(text, counters, "connections", "gauge", "Connections that are open.",
            [](const ShardPicture& shard) { return shard.connections; });
  per_shard(text, counters, "subscriptions", "gauge", "Subscriptions in force.",
            [](const ShardPicture& shard) { return shard.subscriptions; });
  per_shard(
      text, counters, "busy_seconds_total", "counter",
      "Processor time of the shard's thread; its rate is how busy the shard is.",
      [](const ShardPicture& shard) { return static_cast<double>(shard.busy_ns) / second_ns; });
  per_shard(text, counters, "kernel_enters_total", "counter", "Calls of io_uring_enter.",
            [](const ShardPicture& shard) { return shard.reactor.enters; });
  per_shard(text, counters, "completions_total", "counter", "Completions that io_uring gave.",
            [](const ShardPicture& shard) { return shard.reactor.completions; });
  per_shard(text, counters, "completion_overflows_total", "counter",
            "Times the completion queue was too short.",
            [](const ShardPicture& shard) { return shard.reactor.completion_overflows; });
  per_shard(text, counters, "wakes_sent_total", "counter", "Other shards woken.",
            [](const ShardPicture& shard) { return shard.reactor.wakes_sent; });
  per_shard(text, counters, "receive_buffers_free", "gauge", "Receive buffers that nobody holds.",
            [](const ShardPicture& shard) { return shard.receive_buffers_free; });
  per_shard(text, counters, "mailbox_bytes", "gauge", "What waits in the mailboxes to the shard.",
            [](const ShardPicture& shard) { return shard.mailbox_bytes; });
  per_shard(text, counters, "mailbox_capacity_bytes", "gauge", "What they hold at most.",
            [](const ShardPicture& shard) { return shard.mailbox_capacity_bytes; });
  per_shard(
      text, counters, "turn_seconds", "histogram",
      "From the end of a wait for the kernel to the beginning of the next.",
      [](const ShardPicture& shard) -> const TurnHistogram& { return shard.stats.turn_times; });
  per_shard(
      text, counters, "message_turn_seconds", "histogram",
      "Each message delivered, by the length of the turn that handed it to the kernel.",
      [](const ShardPicture& shard) -> const TurnHistogram& { return shard.stats.message_times; });
}

// All reasons, also those that have not occurred: an alert on one that does not exist yet is
// silent.
void write_closes(Text& text, const Counters& counters) {
  text.begin("connections_closed_total", "counter", "Connections closed, by reason.");
  for (size_t reason = 1; reason < close_reasons; reason++) {
    for (size_t shard = 0; shard < counters.shards.size(); shard++) {
      text.add(fmt::format("{},reason=\"{}\"", shard_label(shard),
                           name_of(static_cast<CloseReason>(reason))),
               counters.shards[shard].stats.closed[reason]);
    }
  }
}

void write_memory(Text& text, const Counters& counters, const Context& context) {
  text.begin("memory_bytes", "gauge", "Memory in use for clients, by purpose.");
  for (size_t purpose = 0; purpose < core::purposes; purpose++) {
    int64_t bytes = 0;  // Of one shard it may be negative: another released what it had charged.
    for (const ShardPicture& shard : counters.shards) bytes += shard.memory_bytes[purpose];
    text.add(fmt::format("purpose=\"{}\"", purpose_names[purpose]), std::max<int64_t>(bytes, 0));
  }
  text.begin("memory_budget_bytes", "gauge",
             "What all of it may be, before connections are closed.");
  text.add(context.state.memory_budget_bytes);
}

void write_process(Text& text, Context& context) {
  text.begin("build_info", "gauge", "Always 1; the label is what matters.");
  text.add(fmt::format("version=\"{}\"", version), 1);
  text.begin("start_time_seconds", "gauge", "When the server started, since 1970.");
  text.add(static_cast<double>(context.start_unix_ns) / second_ns);
  text.begin("process_cpu_seconds_total", "counter", "Processor time of the process.");
  text.add(ProcessUse::cpu_seconds());
  text.begin("process_resident_memory_bytes", "gauge", "Memory of the process.");
  text.add(ProcessUse::resident_bytes());
  text.begin("process_open_fds", "gauge", "Open descriptors.");
  text.add(ProcessUse::open_descriptors());
  text.begin("process_max_fds", "gauge", "How many there may be.");
  text.add(ProcessUse::descriptors_max());
  text.begin("connections_max", "gauge", "How many clients there may be.");
  text.add(context.options().limits.connections_max);
  text.begin("tls_handshakes_pending", "gauge", "TLS handshakes that are under way.");
  text.add(context.state.tls_handshakes.load(std::memory_order_relaxed));
  text.begin("log_lines_lost_total", "counter", "Lines that the log had no room for.");
  text.add(context.log.lines_lost());
  text.begin("monitoring_shard_seconds_total", "counter",
             "Time of the shard that monitoring has taken most from.");
  text.add(static_cast<double>(context.collector.spent_ns()) / second_ns);
}

}  // namespace

Response metrics(Context& context, Query&) {
  const Counters* const counters = context.collector.counters();
  if (counters == nullptr) return no_answer();
  Text text;
  write_shards(text, *counters);
  write_closes(text, *counters);
  write_memory(text, *counters, context);
  write_process(text, context);
  return {200, text_format, text.take()};
}

}  // namespace peal::server::monitor
