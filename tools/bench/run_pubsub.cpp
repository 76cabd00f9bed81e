// pub, sub and pubsub: throughput, with payloads that nobody looks at.

#include "tools/bench/flow.hpp"
#include "tools/bench/runs.hpp"

namespace peal::bench {

Result run_pub(const Options& options, RunControl& control) {
  return run_flow(options, {.subscribes = false}, control);
}

Result run_sub(const Options& options, RunControl& control) {
  return run_flow(options, {.publishes = false}, control);
}

Result run_pubsub(const Options& options, RunControl& control) {
  return run_flow(options, {}, control);
}

}  // namespace peal::bench
