#pragma once
// The time that everything here is measured in: nanoseconds of the monotonic clock, which is one
// for all processes of a machine. It knows how long one waits; it knows no calendar.

#include <time.h>

#include <cstdint>

#include "core/clock.hpp"

namespace peal::bench {

using core::millisecond_ns;
using core::second_ns;

/// How long a server may take for anything that is waited for. Then it is given up.
inline constexpr int patience_s = 10;

inline int64_t now_ns() { return core::monotonic_ns(); }

inline void sleep_until(int64_t due_ns) {
  const timespec due{due_ns / second_ns, due_ns % second_ns};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
}

/// When it ended. If nothing happened, or all at once, that is now: more was waited for.
inline int64_t end_of(int64_t begin_ns, int64_t last_ns) {
  return last_ns > begin_ns ? last_ns : now_ns();
}

inline double seconds(int64_t ns) { return double(ns) / double(second_ns); }

}  // namespace peal::bench
