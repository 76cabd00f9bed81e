#pragma once
// Provided receive buffers: memory lent to the kernel, which picks a buffer only when bytes have come.
// So no buffer belongs to an idle socket. What a completion used is given back at the turn's end.
//
// Incremental (kernel 6.12): few large buffers, each shared by many small reads, which is what keeps the
// pool inside the L2 cache and yet serves thousands of sockets. Before that: many small buffers, one per
// read. One thread, the ring's own.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

struct io_uring;
struct io_uring_buf_ring;

namespace peal::core {

class BufferRing {
 public:
  static constexpr uint16_t group = 0;

  BufferRing() = default;
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  /// 0, or -errno. With `incremental` a kernel that lacks it answers -EINVAL, and one may try again.
  int open(io_uring& ring, bool incremental);

  /// The bytes of a completion that used this buffer.
  std::string_view take(uint16_t buffer, int32_t result);

  /// Lends everything that was taken whole to the kernel again.
  void give_back();

  /// Buffers that the kernel can still fill.
  unsigned available() const { return available_; }
  bool incremental() const { return incremental_; }

 private:
  void lend(uint16_t buffer);

  io_uring* ring_ = nullptr;
  io_uring_buf_ring* slots_ = nullptr;
  size_t slots_bytes_ = 0;
  char* memory_ = nullptr;
  size_t memory_bytes_ = 0;
  unsigned buffers_ = 0;
  uint32_t buffer_bytes_ = 0;
  bool incremental_ = false;
  unsigned available_ = 0;
  std::vector<uint32_t> used_bytes_;    // Incremental: how much of each buffer has come back.
  std::vector<uint16_t> spent_;         // Taken whole, to be lent again.
};

}  // namespace peal::core
