#pragma once
// The time that everything here is measured in: nanoseconds of the monotonic clock, which is one
// for all processes of a machine. It knows no calendar.

#include <time.h>

#include <cstdint>

#include "core/clock.hpp"

namespace peal::bench {

using core::millisecond_ns;
using core::second_ns;

inline int64_t now_ns() { return core::monotonic_ns(); }

inline void sleep_until(int64_t due_ns) {
  const timespec due{due_ns / second_ns, due_ns % second_ns};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
}

inline double seconds(int64_t ns) { return double(ns) / double(second_ns); }

}  // namespace peal::bench
