// soak: a rate held for a time. Each message has a number and a checksum, and every one that is
// lost, comes twice, late or damaged is counted.

#include "tools/bench/flow.hpp"
#include "tools/bench/runs.hpp"

namespace peal::bench {

Result run_soak(const Options& options, RunControl& control) {
  return run_flow(options, {.payload = Payload::sealed, .listening = Listening::check}, control);
}

}  // namespace peal::bench
