#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "tests/support/interest_world.hpp"

namespace peal::tests {
namespace {

uint64_t seed_of_run() {
  const char* const given = std::getenv("PEAL_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Goal: whatever happens in whatever order, each shard's plans are what a search through the list
// of all subscriptions gives, and what shards know of each other ends up as the truth. Method:
// random operations on few names, so that they meet; interest_world.hpp has the checks.
void run_world(server::ShardId shards, uint64_t seed, int steps) {
  std::mt19937_64 random(seed);
  InterestWorld world(shards, seed,
                      [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); });
  const size_t idle_bytes = world.shard(0).memory_bytes();
  try {
    for (int step = 0; step < steps; step++) {
      world.step();
      if (step % 512 == 511) world.drain();
    }
    world.close_all();
  } catch (const std::logic_error& broken) {
    FAIL("PEAL_SEED=" << seed << " shards=" << shards << ": " << broken.what());
  }
  CHECK(world.shard(0).subscriptions() == 0);
  CHECK(world.shard(0).memory_bytes() < idle_bytes + 256 * 1024);
}

TEST_CASE("interest: random operations give the plans of a plain list") {
  const uint64_t seed = seed_of_run();
  MESSAGE("PEAL_SEED=" << seed);
  for (uint64_t round = 0; round < 8; round++) {
    run_world(1, seed + round, 3000);
    run_world(2, seed + round, 3000);
    run_world(3, seed + round, 3000);
    run_world(5, seed + round, 3000);
  }
}

}  // namespace
}  // namespace peal::tests
