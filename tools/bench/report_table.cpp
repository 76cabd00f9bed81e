#include "tools/bench/report_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tools/bench/text.hpp"

namespace peal::bench {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

// From here on a thread has no time left to be faster with: taste.
constexpr double at_limit = 0.95;
// A thread that waits so long for a processor measures its neighbours too: taste.
constexpr double starving = 0.2;
// A thread that sleeps a millisecond at a time is never that late on a machine that has processors
// to spare: taste.
constexpr int64_t standing_still_ns = 50'000'000;

std::string shown_direction(const Result& result, const Direction& direction) {
  return fmt::format("{:>14} msgs   {:>13} msgs/s   {:>10}/s", grouped(direction.messages),
                     grouped(result.per_second(double(direction.messages))),
                     shown_bytes(result.per_second(double(direction.bytes))));
}

std::string shown_latency(const Histogram& latency) {
  std::string text;
  constexpr std::pair<const char*, double> percents[] = {
      {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};
  for (const auto& [name, percent] : percents) {
    text += fmt::format("{} {}   ", name, shown_time(double(latency.at_percent(percent))));
  }
  return text + "max " + shown_time(double(latency.max_ns()));
}

void add_connections(const Options& options, const Result& result, Rows& rows) {
  const ConnectionFigures& figures = *result.connections;
  rows.emplace_back("connections", fmt::format("{:>14} opened in {:.3f} s   {:>9}/s",
                                               grouped(figures.opened), figures.open_s,
                                               grouped(result.per_second(double(figures.opened)))));
  if (!result.server_use || options.churn > 0 || figures.opened == 0) return;
  const double grown = double(result.server_use->resident_after_bytes) -
                       double(result.server_use->resident_before_bytes);
  rows.emplace_back(
      "server memory",
      fmt::format("{} per connection", shown_bytes(std::max(grown, 0.0) / double(figures.opened))));
}

}  // namespace

std::vector<std::string> notes_of(const Result& result) {
  std::vector<std::string> notes = result.notes;
  if (result.generator.busiest >= at_limit) {
    notes.push_back(fmt::format("the generator was the limit: its threads ran at {:.0f} %",
                                100 * result.generator.busiest));
  }
  if (result.generator.starved >= starving) {
    notes.push_back(
        fmt::format("the generator's threads waited up to {:.0f} % of the time for a processor: "
                    "the machine was the limit, or other work on it",
                    100 * std::min(result.generator.starved, 1.0)));
  }
  if (result.overslept_ns >= standing_still_ns) {
    notes.push_back(
        fmt::format("the machine stood still for {}: latencies of that time are its own",
                    shown_time(double(result.overslept_ns))));
  }
  if (result.interrupted) notes.push_back("interrupted: these are the figures until then");
  return notes;
}

std::string table_of(const Options& options, const Result& result) {
  Rows rows;
  rows.emplace_back(
      "run", fmt::format("{}   server {}   {:.3f} s", options.name, result.server, result.seconds));
  if (result.connections) add_connections(options, result, rows);
  const bool nothing = result.messages() == 0 && !result.connections;
  if (result.published.messages > 0 || nothing) {
    rows.emplace_back("published", shown_direction(result, result.published));
  }
  if (result.received.messages > 0 || nothing) {
    rows.emplace_back("received", shown_direction(result, result.received));
  }
  if (!result.latency.empty()) rows.emplace_back("latency", shown_latency(result.latency));
  if (!result.send_delay.empty()) rows.emplace_back("send delay", shown_latency(result.send_delay));
  if (result.faults) {
    rows.emplace_back(
        "faults", fmt::format("{} lost   {} duplicate   {} reordered   {} damaged",
                              grouped(result.faults->lost), grouped(result.faults->duplicate),
                              grouped(result.faults->reordered), grouped(result.faults->damaged)));
  }
  if (result.server_use) {
    const ServerUse& use = *result.server_use;
    std::string text = fmt::format("{:.2f} s of CPU", use.cpu_s);
    if (result.messages() > 0) {
      text += fmt::format("   {:.0f} ns a message", result.server_ns_per_message());
    }
    rows.emplace_back("server", text + fmt::format("   {} resident",
                                                   shown_bytes(double(use.resident_after_bytes))));
  }
  rows.emplace_back("generator",
                    fmt::format("{:.2f} s of CPU   busiest thread at {:.0f} %",
                                result.generator.cpu_s, 100 * result.generator.busiest));
  for (const std::string& note : notes_of(result)) rows.emplace_back("note", note);

  std::string table;
  for (const auto& [name, text] : rows) table += fmt::format("{:<14} {}\n", name, text);
  return table;
}

}  // namespace peal::bench
