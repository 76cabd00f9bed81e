#pragma once
// The time that everything here is measured in: nanoseconds of the monotonic clock, which is one
// for all processes of a machine. It knows no calendar.

#include <time.h>

#include <cstdint>

namespace peal::bench {

inline constexpr int64_t ns_per_s = 1'000'000'000;
inline constexpr int64_t ns_per_ms = 1'000'000;

inline int64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * ns_per_s + time.tv_nsec;
}

inline void sleep_until(int64_t due_ns) {
  const timespec due{due_ns / ns_per_s, due_ns % ns_per_s};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
}

inline double seconds(int64_t ns) { return double(ns) / double(ns_per_s); }

}  // namespace peal::bench
