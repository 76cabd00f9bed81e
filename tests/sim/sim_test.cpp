// Goal: what the server promises holds in any order of events that the kernel, the network and the
// clients may cause.
// Method: whole shards in one thread under one seed; see simulation.hpp for what a seed goes
// through, and oracle.hpp for what is held against it. From the environment:
//
//   PEAL_SIM_SEED=n     this seed alone, as a failure names it
//   PEAL_SIM_SEEDS=n    how many seeds
//   PEAL_SIM_FROM=n     the first of them
//   PEAL_SIM_TRACE=1    every event on standard error

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/sim/buffer_pool.hpp"
#include "tests/sim/peal_server.hpp"

using namespace peal::sim;

namespace {

#ifdef PEAL_SIM_ASAN
constexpr uint64_t seeds_default = 300;
#else
constexpr uint64_t seeds_default = 3000;
#endif

/// With so many seeds every way that is listed below has been taken many times.
constexpr uint64_t seeds_for_all_ways = 3000;

constexpr uint64_t failures_shown = 5;

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("server: keeps its promises") {
  uint64_t first = from_environment("PEAL_SIM_FROM", 1);
  uint64_t count = from_environment("PEAL_SIM_SEEDS", seeds_default);
  const uint64_t only = from_environment("PEAL_SIM_SEED", 0);
  if (only != 0) first = only, count = 1;

  std::map<std::string, uint64_t> ways;
  uint64_t failures = 0;
  uint64_t deliveries = 0;
  uint64_t events = 0;
  for (uint64_t seed = first; seed < first + count && failures < failures_shown; seed++) {
    const Outcome outcome = simulate(seed, make_peal_server);
    CHECK_MESSAGE(outcome.failure.empty(), outcome.failure);
    failures += outcome.failure.empty() ? 0 : 1;
    deliveries += outcome.deliveries;
    events += outcome.events;
    for (const auto& [way, times] : outcome.ways) ways[way] += times;
  }
  std::printf("simulation: %llu seeds, %llu events, %llu deliveries, %llu failures\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(events),
              static_cast<unsigned long long>(deliveries),
              static_cast<unsigned long long>(failures));
  if (count < seeds_for_all_ways || failures > 0) return;
  for (const char* way : {"messages to shards",
                          "parked",
                          "fences waited",
                          "stalls",
                          "receive starved",
                          "no responders",
                          "queue rerouted",
                          "queue unclaimed",
                          "accept errors",
                          "closed: Client Closed",
                          "closed: Read Error",
                          "closed: Write Error",
                          "closed: Protocol Violation",
                          "closed: Slow Consumer (Pending Bytes)",
                          "closed: Slow Consumer (Write Deadline)",
                          "closed: Stale Connection",
                          "closed: Maximum Connections Exceeded",
                          "closed: Memory Budget Exceeded",
                          "closed: Server Shutdown",
                          "closed: Out Of Memory",
                          "holds",
                          "lent turns",
                          "slow turns",
                          "publishes denied",
                          "subscriptions denied",
                          "completion overflows",
                          "changes of rules",
                          "no memory",
                          "reloads"}) {
    CAPTURE(way);
    CHECK(ways[way] > 0);
  }
}

TEST_CASE("server: seeds that once found a bug find none") {
  struct Found {
    uint64_t seed;
    const char* bug;
  };
  const Found found[] = {
      {69, "a listener that stopped in the midst of EMFILE kept its shard from sleeping"},
      {4487, "a shard ended with a newcomer for another in its side list, which waited for ever"},
      {9819, "the same"},
      {49581,
       "a request that a plain subscriber got was sent on for a group, and answered by a 503"},
      {123344, "a request that was lost on two shards was answered by neither"},
      {2000583, "a lent turn judged by deadlines what only the shard's own thread could see"},
      {2019782,
       "a thread that was woken for a lent turn's sends, and came late, did not count as held"},
  };
  for (const Found& each : found) {
    CAPTURE(each.bug);
    const Outcome outcome = simulate(each.seed, make_peal_server);
    CHECK_MESSAGE(outcome.failure.empty(), outcome.failure);
  }
}

// Each keeps its promises, and looked as if it did not to a harness that knew less.
TEST_CASE("server: seeds that once found the harness wrong find nothing") {
  struct Found {
    uint64_t seed;
    const char* what_it_had_not_known;
  };
  const Found found[] = {
      {35731, "a shard cannot tell a leap that ends just past a deadline from its own sleep"},
      {36680, "a queue message may be given to a member first who is denied it, and be overtaken"},
      {41666, "a shard keeps blocks for its next runs, up to a bound, whoever is connected"},
      {104091,
       "a user whom a reload puts out answers nobody, though he leaves before he reads of it"},
      {2011386, "who is somebody by default, and has nothing to say, is let go as well"},
      {5004733,
       "a leap of the clock takes along what a client had planned, so he may not forget it"},
      {901305, "a clock that leaps may take away the time in which to say who one is"},
      {82310, "over its memory budget a server slows down who publishes, for longer than a second"},
  };
  for (const Found& each : found) {
    CAPTURE(each.what_it_had_not_known);
    const Outcome outcome = simulate(each.seed, make_peal_server);
    CHECK_MESSAGE(outcome.failure.empty(), outcome.failure);
  }
}

TEST_CASE("server: one seed has one history") {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    CAPTURE(seed);
    const Outcome one = simulate(seed, make_peal_server);
    const Outcome two = simulate(seed, make_peal_server);
    CHECK(one.hash == two.hash);
    CHECK(one.events == two.events);
  }
}
