#pragma once
// A message broker on the seam that is right because it is simple: shards that share one table of
// everything, which they may, since here they share a thread. It promises what Peal promises, so
// the simulation must find nothing wrong with it; and it can be told to make one mistake, which the
// simulation must find. A test that never failed is no test.

#include <cstdint>
#include <memory>

#include "tests/sim/simulation.hpp"

namespace peal::sim {

enum class Mistake : uint8_t {
  none,
  loses,            // A delivery, now and then.
  doubles,          // A delivery.
  swaps,            // Two deliveries of one publisher.
  corrupts,         // A byte of a payload.
  pongs_early,      // Before what other shards hold for the client.
  hears_late,       // Of other shards' subscriptions: PONG does not wait for it.
  group_twice,      // Two members get one message.
  group_never,      // No member does.
  counts_wrong,     // One more than UNSUB's maximum.
  ignores_unsub,    // For one message.
  refuses_falsely,  // 503 though somebody took it.
  refuses_never,
  echoes,
  forgets_ok,
  closes_somebody,
  forgets_to_wake,  // A shard with something to send.
  forgets_to_arm,   // A receive that ended without more.
  ignores_short,    // A send that took less.
  reuses_memory,    // Of a send in flight.
  keeps_view,       // Of a receive buffer that it has given back.
  closes_in_flight,
  leaks_connection,  // One that was reset.
  spins,
};
inline constexpr int mistakes = 24;

std::unique_ptr<ServerUnderTest> make_reference_broker(World& world, const Scenario& scenario,
                                                       Mistake mistake);

}  // namespace peal::sim
