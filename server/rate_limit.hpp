#pragma once
// So many a second and no more, for all threads together. It knows time and a count.

#include <atomic>
#include <cstdint>

#include "core/clock.hpp"

namespace peal::server {

class RateLimit {
 public:
  /// Counts one; 0 is unlimited. Seconds begin at whole ones of the clock, and who is still in the
  /// one before counts in the new one; two threads that begin it at the same moment may let a few
  /// more through.
  bool permits(int64_t now_ns, uint32_t per_second_max) {
    if (per_second_max == 0) return true;
    const int64_t second = now_ns / core::second_ns;
    int64_t begun = second_.load(std::memory_order_relaxed);
    if (second > begun &&
        second_.compare_exchange_strong(begun, second, std::memory_order_relaxed)) {
      count_.store(0, std::memory_order_relaxed);
    }
    return count_.fetch_add(1, std::memory_order_relaxed) < per_second_max;
  }

 private:
  std::atomic<int64_t> second_{0};
  std::atomic<uint32_t> count_{0};
};

}  // namespace peal::server
