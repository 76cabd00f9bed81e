#pragma once
// What the process uses of the machine, as the kernel tells it. One thread.

#include <cstdint>

namespace peal::server::monitor {

class ProcessUse {
 public:
  /// Memory that is there, not only promised.
  static uint64_t resident_bytes();
  static unsigned cores();
  static double cpu_seconds();
  static uint64_t open_descriptors();
  static uint64_t descriptors_max();

  /// Of one core, since the last time this was asked, if that is not too short ago to tell.
  double cpu_percent();

 private:
  int64_t asked_ns_ = 0;
  double asked_seconds_ = 0;
  double percent_ = 0;
};

}  // namespace peal::server::monitor
