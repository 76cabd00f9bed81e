#pragma once
// Times are nanoseconds in an int64_t, here and everywhere: what a clock shows, and what there is
// in longer units.

#include <time.h>

#include <cstdint>

namespace peal::core {

inline constexpr int64_t microsecond_ns = 1000;
inline constexpr int64_t millisecond_ns = 1000 * microsecond_ns;
inline constexpr int64_t second_ns = 1000 * millisecond_ns;

/// REQUIRES a clock that the kernel has (clock_gettime(2)).
inline int64_t clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * second_ns + now.tv_nsec;
}

inline int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace peal::core
