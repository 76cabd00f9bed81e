#pragma once
// What came of a run, for the reports to show. It knows figures; how they were found, and how they
// are shown, it must never know.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/cpu_meter.hpp"
#include "tools/bench/histogram.hpp"
#include "tools/bench/stream_check.hpp"
#include "tools/bench/timeline.hpp"

namespace peal::bench {

/// One way through the server. Bytes are those of headers and payload.
struct Direction {
  uint64_t messages = 0;
  uint64_t bytes = 0;
};

struct ServerUse {
  double cpu_s = 0;
  uint64_t resident_before_bytes = 0;
  uint64_t resident_after_bytes = 0;
};

struct ConnectionFigures {
  uint64_t opened = 0;
  uint64_t failed = 0;
  double open_s = 0;  // How long the opening took.
};

struct Result {
  std::string server;  // As it calls itself.
  double seconds = 0;
  Direction published;
  Direction received;
  Histogram latency;
  Histogram send_delay;  // How late the generator itself handed a message to the kernel.
  std::optional<ServerUse> server_use;
  GeneratorUse generator;
  int64_t overslept_ns =
      0;  // The longest that the generator was not woken when it should have been.
  Timeline timeline;
  std::optional<StreamFaults> faults;            // soak
  std::optional<ConnectionFigures> connections;  // connections
  bool interrupted = false;
  std::vector<std::string> notes;     // What the figures cannot say.
  std::vector<std::string> failures;  // Any makes the exit status 1.

  uint64_t messages() const { return published.messages + received.messages; }
  double per_second(double count) const { return seconds > 0 ? count / seconds : 0; }
  double server_ns_per_message() const {
    if (!server_use || messages() == 0) return 0;
    return server_use->cpu_s * 1e9 / double(messages());
  }
};

}  // namespace peal::bench
