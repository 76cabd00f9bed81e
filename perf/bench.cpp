#include "perf/bench.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "tests/support/counted_allocator.hpp"

static thread_local constinit uint64_t allocations_of_thread = 0;

void peal::on_allocation() noexcept { allocations_of_thread++; }

namespace peal::perf {
namespace {

constexpr int status_skipped = 77;  // Meson's word for it.

constexpr std::string_view help =
    "  --smoke         small, as in the test run\n"
    "  --scale X       as large as usual, times X (default 1)\n"
    "  --runs N        of which the median is shown (default 5; with --smoke 2)\n"
    "  --filter TEXT   only benches with TEXT in their name, or =NAME; may be said again\n"
    "  --list          the names\n"
    "  --json          for programs\n";

double now_ns(Clock clock) {
  timespec now;
  ::clock_gettime(clock == Clock::thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

[[noreturn]] void refuse(std::string_view what) {
  fmt::print(stderr, "{}\n{}", what, help);
  std::exit(2);
}

template <typename Number>
Number number_of(std::string_view flag, std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !(number > 0)) {
    refuse(fmt::format("{}: '{}' is not a number above zero", flag, text));
  }
  return number;
}

}  // namespace

[[gnu::noinline]] void measured(void (*call)(void*), void* context) {
  call(context);
  asm volatile("" ::: "memory");  // Else the call is a jump, and this function has no end.
}

void Sample::run(void (*call)(void*), void* context) {
  if (warm_up_) return call(context);
  const uint64_t allocations_before = allocations_of_thread;
  const double before_ns = now_ns(clock_);
  measured(call, context);
  ns_ = now_ns(clock_) - before_ns;
  allocations_ = allocations_of_thread - allocations_before;
}

Runner::Runner(int argc, const char* const* argv) {
  bool runs_given = false;
  for (int i = 1; i < argc; i++) {
    const std::string_view flag = argv[i];
    const auto value = [&]() -> std::string_view {
      if (++i == argc) refuse(fmt::format("{} needs a value", flag));
      return argv[i];
    };
    if (flag == "--smoke") {
      smoke_ = true;
    } else if (flag == "--json") {
      json_ = true;
    } else if (flag == "--list") {
      list_ = true;
    } else if (flag == "--filter") {
      filters_.emplace_back(value());
    } else if (flag == "--scale") {
      scale_ = number_of<double>(flag, value());
    } else if (flag == "--runs") {
      runs_ = number_of<unsigned>(flag, value());
      runs_given = true;
    } else if (flag == "--help") {
      fmt::print("{}", help);
      std::exit(0);
    } else {
      refuse(fmt::format("'{}' is no flag", flag));
    }
  }
  if (smoke_ && !runs_given) runs_ = 2;  // Two, so that checksums can differ.
}

uint64_t Runner::size(uint64_t small, uint64_t large) const {
  if (smoke_) return small;
  return std::max(small, static_cast<uint64_t>(static_cast<double>(large) * scale_));
}

bool Runner::wants(std::string_view name) const {
  if (list_) return false;
  return filters_.empty() ||
         std::any_of(filters_.begin(), filters_.end(), [name](const std::string& filter) {
           if (filter.starts_with('=')) return name == std::string_view(filter).substr(1);
           return name.find(filter) != name.npos;
         });
}

void Runner::bench(const std::string& name, const Body& body, BenchOptions options) {
  if (list_) fmt::print("{}\n", name);
  if (!wants(name)) return;
  Sample warm_up(options.clock, true);
  body(warm_up);
  std::vector<Sample> samples;
  for (unsigned i = 0; i < runs_; i++) body(samples.emplace_back(options.clock, false));
  check(name, samples, options);
  reports_.push_back(summary(name, samples));
  if (!json_) print_line(reports_.back());
}

void Runner::skip(std::string_view name, std::string_view why) {
  if (!wants(name)) return;
  skipped_++;
  fmt::print(stderr, "{}: skipped: {}\n", name, why);
}

void Runner::check(const std::string& name, const std::vector<Sample>& samples,
                   BenchOptions options) {
  const auto fail = [&](std::string_view why) {
    fmt::print(stderr, "{}: {}\n", name, why);
    failed_ = true;
  };
  const Work& first = samples.front().work();
  if (first.ops == 0) return fail("did nothing");
  for (const Sample& sample : samples) {
    if (sample.work().ops != first.ops || sample.work().checksum != first.checksum) {
      return fail("two runs came to different results");
    }
    if (options.allocations == Allocations::forbidden && sample.allocations() > 0) {
      return fail(fmt::format("made {} allocations, and is to make none", sample.allocations()));
    }
  }
}

Runner::Report Runner::summary(const std::string& name, std::vector<Sample>& samples) const {
  Report report;
  report.name = name;
  report.ops = samples.front().work().ops;
  report.checksum = samples.front().work().checksum;
  const auto ops = static_cast<double>(std::max<uint64_t>(report.ops, 1));
  const auto by_time = [](const Sample* a, const Sample* b) { return a->ns() < b->ns(); };
  std::vector<const Sample*> sorted;
  for (const Sample& sample : samples) sorted.push_back(&sample);
  std::sort(sorted.begin(), sorted.end(), by_time);
  const Sample& median = *sorted[(sorted.size() - 1) / 2];
  report.ns_per_op = median.ns() / ops;
  report.ns_per_op_min = sorted.front()->ns() / ops;
  report.ns_per_op_max = sorted.back()->ns() / ops;
  report.allocations_per_op = static_cast<double>(median.allocations()) / ops;
  report.figures = median.figures();
  return report;
}

void Runner::print_line(const Report& report) const {
  if (reports_.size() == 1) {
    fmt::print("{:<48} {:>12} {:>10} {:>7} {:>10} {:>16}\n", "bench", "ops", "ns/op", "spread",
               "allocs/op", "checksum");
  }
  const double spread = (report.ns_per_op_max - report.ns_per_op_min) / report.ns_per_op;
  fmt::print("{:<48} {:>12} {:>10.1f} {:>6.0f}% {:>10.4f} {:016x}", report.name, report.ops,
             report.ns_per_op, 100 * spread, report.allocations_per_op, report.checksum);
  for (const auto& [figure, value] : report.figures) fmt::print("  {} {:.1f}", figure, value);
  fmt::print("\n");
  std::fflush(stdout);
}

// Names are ours, and need no escapes.
void Runner::print_json() const {
  fmt::print("{{\"compiler\": \"{}\", \"smoke\": {}, \"scale\": {}, \"runs\": {}, \"benches\": [",
             __VERSION__, smoke_, scale_, runs_);
  const char* separator = "\n";
  for (const Report& report : reports_) {
    fmt::print(
        "{}  {{\"name\": \"{}\", \"ops\": {}, \"ns_per_op\": {:.3f}, \"ns_per_op_min\": {:.3f}, "
        "\"ns_per_op_max\": {:.3f}, \"allocations_per_op\": {:.6f}, \"checksum\": \"{:016x}\"",
        separator, report.name, report.ops, report.ns_per_op, report.ns_per_op_min,
        report.ns_per_op_max, report.allocations_per_op, report.checksum);
    for (const auto& [figure, value] : report.figures) {
      fmt::print(", \"{}\": {:.3f}", figure, value);
    }
    fmt::print("}}");
    separator = ",\n";
  }
  fmt::print("\n]}}\n");
}

int Runner::finish() {
  if (list_) return 0;
  if (json_) print_json();
  if (failed_) return 1;
  if (!reports_.empty()) return 0;
  if (skipped_ > 0) return status_skipped;
  fmt::print(stderr, "no bench has such a name: --list shows them\n");
  return 2;
}

}  // namespace peal::perf
