#include "tools/bench/report_json.hpp"

#include <cmath>

#include "protocol/json.hpp"
#include "protocol/utf8.hpp"
#include "tools/bench/report_table.hpp"

namespace peal::bench {
namespace {

using protocol::JsonWriter;

// Raises when a field changes its meaning.
constexpr int format_version = 1;

double micros(int64_t ns) { return double(ns) / 1000; }
// What is beyond is noise, and long to read.
double rounded(double number) { return std::round(number * 1000) / 1000; }

void write_options(JsonWriter& json, const Options& options) {
  json.key("options").begin_object();
  json.key("msgs").value(options.messages);
  json.key("duration_s").value(options.duration_s);
  json.key("warmup_s").value(options.warmup_s);
  json.key("rate").value(options.rate);
  json.key("burst").value(options.burst);
  json.key("size").value(uint64_t{options.size_bytes});
  json.key("headers").value(options.headers);
  json.key("framing").value(options.binary ? "binary/1" : "text");
  json.key("subjects").value(options.subjects);
  json.key("zipf").value(options.zipf);
  json.key("seed").value(options.seed);
  json.key("pubs").value(options.publishers);
  json.key("subs").value(options.subscribers);
  json.key("threads").value(options.threads);
  json.key("pairs").value(options.pairs);
  json.key("wildcard").value(options.wildcard);
  json.key("queue").value(options.queue);
  json.key("subscriptions").value(options.subscriptions);
  json.key("inflight").value(options.in_flight);
  json.key("idle").value(options.idle);
  json.key("churn").value(options.churn);
  json.key("storm").value(options.storm);
  json.end_object();
}

void write_direction(JsonWriter& json, const char* name, const Result& result,
                     const Direction& direction) {
  json.key(name).begin_object();
  json.key("messages").value(direction.messages);
  json.key("bytes").value(direction.bytes);
  json.key("messages_per_s").value(rounded(result.per_second(double(direction.messages))));
  json.key("bytes_per_s").value(rounded(result.per_second(double(direction.bytes))));
  json.end_object();
}

void write_times(JsonWriter& json, const char* name, const Histogram& times) {
  if (times.empty()) return;
  json.key(name).begin_object();
  json.key("count").value(times.count());
  json.key("min").value(micros(times.min_ns()));
  json.key("mean").value(rounded(times.mean_ns() / 1000));
  json.key("p50").value(micros(times.at_percent(50)));
  json.key("p90").value(micros(times.at_percent(90)));
  json.key("p99").value(micros(times.at_percent(99)));
  json.key("p99_9").value(micros(times.at_percent(99.9)));
  json.key("max").value(micros(times.max_ns()));
  json.end_object();
}

void write_plots(JsonWriter& json, const Result& result) {
  json.key("timeline").begin_array();  // Seconds, published until then, received until then.
  for (const Moment& moment : result.timeline.moments()) {
    json.begin_array().value(rounded(moment.at_s)).value(moment.published);
    json.value(moment.received).end_array();
  }
  json.end_array();
  json.key("latency_distribution").begin_array();  // Percent, microseconds.
  for (const Histogram::Point& point : result.latency.distribution()) {
    json.begin_array().value(point.percent).value(micros(point.ns)).end_array();
  }
  json.end_array();
}

void write_sentences(JsonWriter& json, const char* name,
                     const std::vector<std::string>& sentences) {
  json.key(name).begin_array();
  // A server may have said anything.
  for (const std::string& sentence : sentences) json.value(protocol::utf8_text(sentence));
  json.end_array();
}

}  // namespace

std::string json_of(const Options& options, const Result& result) {
  JsonWriter json;
  json.begin_object();
  // These two come first: the page tells runs apart by their beginning.
  json.key("peal_bench").value(format_version);
  json.key("name").value(options.name);
  json.key("command").value(name_of(options.command));
  json.key("server").value(result.server);
  write_options(json, options);
  json.key("seconds").value(rounded(result.seconds));
  write_direction(json, "published", result, result.published);
  write_direction(json, "received", result, result.received);
  write_times(json, "latency_us", result.latency);
  write_times(json, "send_delay_us", result.send_delay);
  if (result.faults) {
    json.key("faults").begin_object();
    json.key("lost").value(result.faults->lost);
    json.key("duplicate").value(result.faults->duplicate);
    json.key("reordered").value(result.faults->reordered);
    json.key("damaged").value(result.faults->damaged);
    json.end_object();
  }
  if (result.connections) {
    json.key("connections").begin_object();
    json.key("opened").value(result.connections->opened);
    json.key("failed").value(result.connections->failed);
    json.key("per_s").value(rounded(result.per_second(double(result.connections->opened))));
    json.end_object();
  }
  if (result.server_use) {
    json.key("server_use").begin_object();
    json.key("cpu_s").value(rounded(result.server_use->cpu_s));
    json.key("ns_per_message").value(rounded(result.server_ns_per_message()));
    json.key("resident_before_bytes").value(result.server_use->resident_before_bytes);
    json.key("resident_after_bytes").value(result.server_use->resident_after_bytes);
    json.end_object();
  }
  json.key("generator").begin_object();
  json.key("cpu_s").value(rounded(result.generator.cpu_s));
  json.key("busiest_thread").value(rounded(result.generator.busiest));
  json.key("starved").value(rounded(result.generator.starved));
  json.key("overslept_us").value(micros(result.overslept_ns));
  json.end_object();
  json.key("interrupted").value(result.interrupted);
  write_sentences(json, "notes", notes_of(result));
  write_sentences(json, "failures", result.failures);
  write_plots(json, result);
  json.end_object();
  return std::string(json.text());
}

}  // namespace peal::bench
