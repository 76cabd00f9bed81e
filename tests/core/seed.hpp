#pragma once
// Chance for a randomised test: another one each run, printed, and taken back from the environment.

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <random>

namespace peal::test {

inline uint64_t seed_of_run() {
  const char* const given = std::getenv("PEAL_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  MESSAGE("PEAL_SEED=" << seed);
  return seed;
}

}  // namespace peal::test
