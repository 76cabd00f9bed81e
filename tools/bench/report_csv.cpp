#include "tools/bench/report_csv.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace peal::bench {
namespace {

using Columns = std::vector<std::pair<const char*, std::string>>;

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char letter : text) out += letter == '"' ? "\"\"" : std::string(1, letter);
  return out + '"';
}

std::string times(const Histogram& latency, double percent) {
  if (latency.empty()) return {};
  return fmt::format("{:.3f}", double(latency.at_percent(percent)) / 1000);
}

// What was not measured is empty, not zero.
Columns columns_of(const Options& options, const Result& result) {
  const auto rate = [&](uint64_t count) {
    return fmt::format("{:.1f}", result.per_second(double(count)));
  };
  const auto& faults = result.faults;
  const auto fault = [&](uint64_t count) { return faults ? std::to_string(count) : std::string(); };
  const StreamFaults found = faults.value_or(StreamFaults());
  return {
      {"name", quoted(options.name)},
      {"command", name_of(options.command)},
      {"server", quoted(result.server)},
      {"size", std::to_string(options.size_bytes)},
      {"pubs", std::to_string(options.publishers)},
      {"subs", std::to_string(options.subscribers)},
      {"rate", fmt::format("{}", options.rate)},
      {"seconds", fmt::format("{:.3f}", result.seconds)},
      {"published", std::to_string(result.published.messages)},
      {"published_per_s", rate(result.published.messages)},
      {"published_bytes_per_s", rate(result.published.bytes)},
      {"received", std::to_string(result.received.messages)},
      {"received_per_s", rate(result.received.messages)},
      {"received_bytes_per_s", rate(result.received.bytes)},
      {"p50_us", times(result.latency, 50)},
      {"p90_us", times(result.latency, 90)},
      {"p99_us", times(result.latency, 99)},
      {"p99_9_us", times(result.latency, 99.9)},
      {"max_us", times(result.latency, 100)},
      {"server_ns_per_message",
       result.server_use ? fmt::format("{:.1f}", result.server_ns_per_message()) : ""},
      {"server_resident_bytes",
       result.server_use ? std::to_string(result.server_use->resident_after_bytes) : ""},
      {"generator_busiest", fmt::format("{:.3f}", result.generator.busiest)},
      {"lost", fault(found.lost)},
      {"duplicate", fault(found.duplicate)},
      {"reordered", fault(found.reordered)},
      {"damaged", fault(found.damaged)},
      {"connections_per_s", result.connections ? rate(result.connections->opened) : ""},
      {"failures", std::to_string(result.failures.size())},
  };
}

template <typename Cell>
std::string joined(const Columns& columns, Cell cell) {
  std::string line;
  for (const auto& column : columns) {
    if (!line.empty()) line += ',';
    line += cell(column);
  }
  return line + '\n';
}

}  // namespace

std::string csv_head() {
  return joined(columns_of({}, {}), [](const auto& column) { return std::string(column.first); });
}

std::string csv_line(const Options& options, const Result& result) {
  return joined(columns_of(options, result), [](const auto& column) { return column.second; });
}

}  // namespace peal::bench
