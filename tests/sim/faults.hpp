#pragma once
// How hostile the kernel and the network are. The rates are drawn once a seed, as VOPR does, so
// that one seed has a world of short reads and the next a calm one with a single reset: mixtures
// that uniform rates would never reach.

#include <cstddef>
#include <cstdint>

#include "tests/sim/chance.hpp"

namespace peal::sim {

using Time = int64_t;  // Nanoseconds of the simulated clock.

inline constexpr Time never = INT64_MAX;
inline constexpr Time us = 1'000;
inline constexpr Time ms = 1'000 * us;
inline constexpr Time sec = 1'000 * ms;

/// Rates are percentages of the events that they name.
struct Faults {
  double short_read = 0;       // A receive brings a random prefix of what is there.
  double multishot_end = 0;    // A receive ends though nothing is wrong.
  double no_buffers = 0;       // ENOBUFS with buffers to be had.
  double short_send = 0;       // A send takes less than there was room for.
  double whole_send = 0;       // A send waits until it is done, as MSG_WAITALL makes it.
  double slow_step = 0;        // A step takes up to slow_max instead of quick_max.
  double late_completion = 0;  // Done, and seen up to slow_max later: completions overtake.
  double accept_error = 0;     // EMFILE or ECONNABORTED.
  double shard_pause = 0;      // Of turns: the thread is not scheduled for up to pause_max.
  double preemption = 0;       // Of calls of the seam: others run before the shard goes on.
  double reset = 0;            // Of connections: the network kills them at some byte.
  double no_memory = 0;        // Of large blocks.
  double small_batch = 0;      // Of waits: few completions are handed over, as after an overflow.
  Time quick_max = 20 * us;
  Time slow_max = 2 * ms;
  Time pause_max = 10 * sec;

  static Faults draw(Chance& chance) {
    Faults faults;
    // Half of the kinds are absent from any one seed: what hides behind another fault shows then.
    const auto rate = [&](double most) {
      return chance.percent(50) ? 0.0 : most * static_cast<double>(chance.below(1001)) / 1000;
    };
    faults.short_read = rate(50);
    faults.multishot_end = rate(10);
    faults.no_buffers = rate(10);
    faults.short_send = rate(50);
    faults.whole_send = rate(100);
    faults.slow_step = rate(50);
    faults.late_completion = rate(50);
    faults.accept_error = rate(20);
    faults.shard_pause = rate(0.5);
    faults.preemption = rate(10);
    faults.reset = rate(30);
    faults.small_batch = rate(20);
    faults.quick_max = chance.between(1, 50) * us;
    faults.slow_max = chance.between(50, 5'000) * us;
    faults.pause_max = chance.percent(20) ? 10 * sec : chance.between(1, 500) * ms;
    return faults;
  }
};

/// What the machine has of things that run out.
struct Kernel {
  unsigned receive_buffers = 64;  // Of each reactor.
  size_t receive_buffer_bytes = 4096;
  bool ends_at_cap = true;  // A receive ends after its cap. Old kernels go on.
};

}  // namespace peal::sim
