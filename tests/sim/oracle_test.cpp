// Goal: the simulation believes a broker that is right, and catches each mistake of one that is
// not. Method: the reference broker, alone and with one mistake at a time, over some seeds.

#include <doctest/doctest.h>

#include <set>

#include "tests/sim/reference_broker.hpp"

using namespace peal::sim;

namespace {

Outcome run(uint64_t seed, Mistake mistake) {
  return simulate(seed, [&](World& world, const Scenario& scenario) {
    return make_reference_broker(world, scenario, mistake);
  });
}

}  // namespace

TEST_CASE("simulation: finds nothing wrong with a broker that is right") {
  uint64_t deliveries = 0;
  uint64_t owed = 0;
  uint64_t refusals = 0;
  for (uint64_t seed = 1; seed <= 300; seed++) {
    const Outcome outcome = run(seed, Mistake::none);
    REQUIRE_MESSAGE(outcome.failure.empty(), outcome.failure);
    deliveries += outcome.deliveries;
    owed += outcome.owed;
    refusals += outcome.refusals;
  }
  // Or it would find nothing because there was nothing.
  CHECK(deliveries > 50'000);
  CHECK(owed > 20'000);
  CHECK(refusals > 200);
}

TEST_CASE("simulation: one seed has one history") {
  for (uint64_t seed = 1000; seed < 1010; seed++) {
    const Outcome first = run(seed, Mistake::none);
    const Outcome second = run(seed, Mistake::none);
    CHECK(first.hash == second.hash);
    CHECK(first.events == second.events);
  }
}

TEST_CASE("simulation: catches every mistake") {
  struct Expectation {
    Mistake mistake;
    std::set<std::string> kinds;  // As what it may be noticed.
  };
  const Expectation expectations[] = {
      {Mistake::loses, {"loss", "maximum", "refusal", "liveness"}},
      {Mistake::doubles, {"twice", "maximum", "group"}},
      {Mistake::swaps, {"order", "loss", "fence", "stray"}},
      {Mistake::corrupts, {"bytes"}},
      {Mistake::pongs_early, {"fence", "loss", "stray", "maximum"}},
      {Mistake::hears_late, {"loss", "refusal"}},
      {Mistake::group_twice, {"group"}},
      {Mistake::group_never, {"loss"}},
      {Mistake::counts_wrong, {"maximum"}},
      {Mistake::ignores_unsub, {"stray"}},
      {Mistake::refuses_falsely, {"refusal", "maximum"}},
      {Mistake::refuses_never, {"refusal"}},
      {Mistake::echoes, {"echo"}},
      {Mistake::forgets_ok, {"replies"}},
      {Mistake::closes_somebody, {"closed"}},
      {Mistake::forgets_to_wake, {"liveness"}},
      {Mistake::forgets_to_arm, {"liveness"}},
      {Mistake::ignores_short, {"bytes", "liveness", "loss", "replies"}},
      {Mistake::reuses_memory, {"seam", "bytes", "replies"}},
      {Mistake::keeps_view, {"bytes", "replies"}},
      {Mistake::closes_in_flight, {"seam"}},
      {Mistake::leaks_connection, {"leftovers"}},
      {Mistake::spins, {"spin"}},
  };
  CHECK(std::size(expectations) + 1 == mistakes);
  for (const Expectation& expected : expectations) {
    CAPTURE(static_cast<int>(expected.mistake));
#ifdef PEAL_SIM_ASAN
    if (expected.mistake == Mistake::keeps_view) continue;  // It would be the end of the test.
#endif
    std::string caught;
    for (uint64_t seed = 1; seed <= 100 && caught.empty(); seed++) {
      const Outcome outcome = run(seed, expected.mistake);
      caught = outcome.kind;
      if (!caught.empty()) {
        CHECK_MESSAGE(expected.kinds.count(caught) == 1, outcome.failure);
      }
    }
    CHECK_MESSAGE(!caught.empty(), "nobody noticed");
  }
}
