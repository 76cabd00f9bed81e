#pragma once
// A bench is a test that can be told to run long. In the test run it is small (--smoke), so that it
// cannot rot; asked for by name it is large. Its name is a path, parser/pub/16B, and it reports
// operations, time and allocations per operation, and a checksum of what came out, which has to be
// the same in every run. It knows clocks and counts; what is measured it must never know, and
// whether a figure is good it leaves to who compares two of them.
//
// Allocations are those of the measuring thread: operator new, and the malloc family as far as the
// linker brings it here (perf/meson.build).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace peal::perf {

/// What a measured body has done. `checksum` keeps the compiler from leaving it out, and tells
/// whether two builds did the same.
struct Work {
  uint64_t ops = 0;
  uint64_t checksum = 0;
};

constexpr uint64_t mix(uint64_t checksum, uint64_t value) {
  return (checksum ^ value) * 0x9e3779b97f4a7c15 + 1;
}

/// Time of the thread's processor shows less of a busy machine; what two threads do needs the
/// clock on the wall.
enum class Clock : uint8_t { thread, wall };

enum class Allocations : uint8_t { allowed, forbidden };

struct BenchOptions {
  Clock clock = Clock::thread;
  Allocations allocations = Allocations::allowed;
};

/// One run of a bench. What lies outside of measure() is preparation, and not counted.
class Sample {
 public:
  Sample(Clock clock, bool warm_up) : clock_(clock), warm_up_(warm_up) {}

  /// Once in each run. The body returns its Work.
  template <typename Body>
  void measure(Body&& body) {
    struct Call {
      std::remove_reference_t<Body>& body;
      Work work;
    } call{body, {}};
    run(
        [](void* context) {
          auto& called = *static_cast<Call*>(context);
          called.work = called.body();
        },
        &call);
    work_ = call.work;
  }

  /// A figure beside the time, as "memory_bytes" or "slowest_us": the unit is in its name.
  void figure(std::string name, double value) { figures_.emplace_back(std::move(name), value); }

  const Work& work() const { return work_; }
  double ns() const { return ns_; }
  uint64_t allocations() const { return allocations_; }
  const std::vector<std::pair<std::string, double>>& figures() const { return figures_; }

 private:
  void run(void (*call)(void*), void* context);

  const Clock clock_;
  const bool warm_up_;
  Work work_;
  double ns_ = 0;
  uint64_t allocations_ = 0;
  std::vector<std::pair<std::string, double>> figures_;
};

class Runner {
 public:
  /// Reads the command line; what is wrong with it ends the process with status 2.
  Runner(int argc, const char* const* argv);

  bool smoke() const { return smoke_; }

  /// How large: `small` in the test run, else `large` times --scale, and never less than `small`.
  uint64_t size(uint64_t small, uint64_t large) const;

  /// For preparation that is expensive: whether this bench is going to run.
  bool wants(std::string_view name) const;

  using Body = std::function<void(Sample&)>;
  /// Runs the body once to warm up, then --runs times.
  void bench(const std::string& name, const Body& body, BenchOptions options = {});

  /// What cannot be measured here, and why not: one sentence.
  void skip(std::string_view name, std::string_view why);

  /// The process's exit status: 1 when a checksum changed or a forbidden allocation was made, 77
  /// when all was skipped.
  int finish();

 private:
  struct Report {
    std::string name;
    uint64_t ops = 0;
    double ns_per_op = 0, ns_per_op_min = 0, ns_per_op_max = 0;
    double allocations_per_op = 0;
    uint64_t checksum = 0;
    std::vector<std::pair<std::string, double>> figures;
  };

  Report summary(const std::string& name, std::vector<Sample>& samples) const;
  void check(const std::string& name, const std::vector<Sample>& samples, BenchOptions options);
  void print_line(const Report& report) const;
  void print_json() const;

  bool smoke_ = false;
  bool json_ = false;
  bool list_ = false;
  double scale_ = 1;
  unsigned runs_ = 5;
  std::vector<std::string> filters_;  // A part of a name, or with a leading '=' all of it.
  std::vector<Report> reports_;
  size_t skipped_ = 0;
  bool failed_ = false;
};

/// Called around what is measured, and by nothing else, so that a tool that counts instructions can
/// count between its entry and its exit (perf/instructions).
void measured(void (*call)(void*), void* context);

}  // namespace peal::perf
