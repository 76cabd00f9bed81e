#pragma once
// Provided receive buffers: memory lent to the kernel, which picks a buffer only when bytes have
// come. So no buffer belongs to an idle socket. What a completion used is given back at the turn's
// end.
//
// Incremental (kernel 6.12): few large buffers, each shared by many small reads, which is what
// keeps the pool inside the L2 cache and yet serves thousands of sockets. Before that: many small
// buffers, one per read, and beside them a ring of few large ones for busy sockets. One thread, the
// ring's own.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/buffer_hold.hpp"

struct io_uring;
struct io_uring_buf_ring;

namespace peal::core {

class BufferRing {
 public:
  struct Shape {
    uint16_t group;  // How receives name it. Also the upper bits of its buffers' ids.
    uint32_t buffer_bytes;
    uint32_t buffers;  // A power of two.
    bool incremental;
  };

  BufferRing() = default;
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  /// 0, or -errno. With `incremental` a kernel that lacks it answers -EINVAL, and one may try
  /// again.
  int open(io_uring& ring, const Shape& shape);

  /// The group of the ring that a completion's buffer is of.
  static constexpr uint16_t group_of(uint16_t buffer) { return buffer >> group_shift; }

  /// The bytes of a completion that used this buffer.
  std::string_view take(uint16_t buffer, int32_t result);

  /// Keeps the buffer that `at` lies in for one reader, until he ends the hold. nullptr when it
  /// lies in none, or as many are held already as may be: half of them, so that the other half is
  /// always there for those who have something to say.
  BufferHold* hold(const char* at);

  /// Lends everything that was taken whole to the kernel again, but for what is held.
  void give_back();

  /// Buffers that the kernel can still fill.
  unsigned available() const { return available_; }
  uint16_t group() const { return shape_.group; }

 private:
  static constexpr int group_shift = 12;

  io_uring* ring_ = nullptr;
  io_uring_buf_ring* slots_ = nullptr;
  size_t slots_bytes_ = 0;
  char* memory_ = nullptr;
  size_t memory_bytes_ = 0;
  Shape shape_{};
  unsigned available_ = 0;
  std::vector<uint32_t> used_bytes_;     // Incremental: how much of each buffer has come back.
  std::vector<uint16_t> spent_;          // Taken whole, to be lent again.
  std::unique_ptr<BufferHold[]> holds_;  // By buffer.
  std::vector<uint16_t> held_;           // Not known to be ended; each once.
};

}  // namespace peal::core
