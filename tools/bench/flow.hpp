#pragma once
// Publishers and subscribers of one run, on their threads, from the first connection to the last
// message; pub, sub, pubsub, latency and soak are all this with other payloads and ears. It knows
// when to begin and when all has come; the bytes are its publishers' and subscribers' business.

#include <cstdint>

#include "tools/bench/publisher.hpp"
#include "tools/bench/result.hpp"
#include "tools/bench/subscriber.hpp"

namespace peal::bench {

struct FlowPlan {
  bool publishes = true;
  bool subscribes = true;
  Payload payload = Payload::filler;
  Listening listening = Listening::count;
};

/// Runs it to its end. What went wrong is in the result's failures.
Result run_flow(const Options& options, const FlowPlan& plan, RunControl& control);

/// How many threads serve so many connections.
uint32_t threads_for(uint32_t connections, const Options& options);

}  // namespace peal::bench
