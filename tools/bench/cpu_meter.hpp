#pragma once
// What a run costs the machine: the server's processor time and memory, and whether our own threads
// were at their limit. It knows /proc; it must never know what the threads do.

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace peal::bench {

/// Of a whole process, by its id.
struct ProcessUse {
  double cpu_s = 0;
  uint64_t resident_bytes = 0;
};

/// None if there is no such process, or it is not on this machine.
std::optional<ProcessUse> use_of_process(uint32_t pid);

/// Of one thread of ours, so far.
struct ThreadUse {
  double cpu_s = 0;
  double waited_s = 0;  // It could have run and had no processor.
};

pid_t this_thread();
ThreadUse use_of_thread(pid_t thread);

/// All threads of a generator together: how busy the busiest was.
struct GeneratorUse {
  double cpu_s = 0;
  double busiest = 0;  // 1 is a whole processor.
  double starved = 0;  // The worst share of the time that one waited for a processor.

  void add(const ThreadUse& from, const ThreadUse& to, double wall_s);
};

}  // namespace peal::bench
