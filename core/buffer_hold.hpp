#pragma once
// A receive buffer that is read by other threads after the turn in which it came: it goes back to
// the kernel when the last of them has let go. It knows how many there are; what they read, and
// which buffer it is, only others know.

#include <atomic>
#include <cstdint>

namespace peal::core {

/// One for each buffer, on a cache line of its own. Begun on the buffer's thread only.
struct alignas(64) BufferHold {
  std::atomic<uint32_t> readers{0};

  void begin() { readers.fetch_add(1, std::memory_order_relaxed); }
  /// On any thread, when it has read all that it will.
  void end() { readers.fetch_sub(1, std::memory_order_release); }
  bool ended() const { return readers.load(std::memory_order_acquire) == 0; }
};

}  // namespace peal::core
