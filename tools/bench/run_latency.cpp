// latency: an open loop. Each message carries the time it was due, and its latency counts from
// then, so that a server that stalls is charged for all that waited meanwhile.

#include "tools/bench/flow.hpp"
#include "tools/bench/runs.hpp"

namespace peal::bench {

Result run_latency(const Options& options, RunControl& control) {
  return run_flow(options, {.payload = Payload::due, .listening = Listening::time}, control);
}

}  // namespace peal::bench
