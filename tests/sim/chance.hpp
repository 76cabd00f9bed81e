#pragma once
// Chance as a value: everything random in a simulation is drawn from one of these, and each of
// these comes from the seed. xoshiro256**, because its numbers are the same on every machine and
// compiler, which those of <random>'s distributions are not.

#include <bit>
#include <cassert>
#include <cstdint>

namespace peal::sim {

constexpr uint64_t mix(uint64_t value) {  // splitmix64's step.
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

class Chance {
 public:
  explicit Chance(uint64_t seed) {
    for (uint64_t& word : state_) word = seed = mix(seed);
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// From 0 to bound - 1.
  uint64_t below(uint64_t bound) {
    assert(bound > 0);
    return bound <= UINT32_MAX ? (next() >> 32) * bound >> 32 : next() % bound;
  }

  /// Both ends included.
  int64_t between(int64_t low, int64_t high) {
    assert(low <= high);
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }

  bool percent(double rate) {
    return rate > 0 && static_cast<double>(next() >> 11) * 0x1p-53 < rate / 100;
  }

  /// Half of the draws are below a sixteenth of the way: small mostly, large at times.
  int64_t skewed(int64_t low, int64_t high) {
    const int64_t span = high - low;
    return low + between(0, percent(50) ? span / 16 : span);
  }

  template <typename List>
  auto& one_of(List& list) {
    return list[below(list.size())];
  }

 private:
  uint64_t state_[4];
};

}  // namespace peal::sim
