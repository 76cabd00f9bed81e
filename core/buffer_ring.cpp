#include "core/buffer_ring.hpp"

#include <sys/mman.h>

#include <cassert>
#include <cerrno>

#include "core/ring.hpp"
#include "core/uring_abi.hpp"

namespace peal::core {
namespace {

// Half of a core's L2 cache (1 MiB where this was measured): a larger pool walks through memory and
// costs a busy publisher about a fifth of its rate.
constexpr size_t pool_bytes = 512 * 1024;
constexpr uint32_t incremental_buffer_bytes = 32 * 1024;
constexpr uint32_t single_buffer_bytes = 4 * 1024;

// The parser reads a vector at a time, up to this far behind a buffer's end.
constexpr size_t slack_bytes = 64;

void* map(size_t bytes) {
  void* memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

BufferRing::~BufferRing() {
  if (ring_ != nullptr) io_uring_unregister_buf_ring(ring_, group);
  if (slots_ != nullptr) munmap(slots_, slots_bytes_);
  if (memory_ != nullptr) munmap(memory_, memory_bytes_);
}

int BufferRing::open(io_uring& ring, bool incremental) {
  assert(ring_ == nullptr);
  incremental_ = incremental;
  buffer_bytes_ = incremental ? incremental_buffer_bytes : single_buffer_bytes;
  buffers_ = static_cast<unsigned>(pool_bytes / buffer_bytes_);
  if (memory_ == nullptr) {
    memory_bytes_ = pool_bytes + slack_bytes;
    memory_ = static_cast<char*>(map(memory_bytes_));
    slots_bytes_ = (pool_bytes / single_buffer_bytes) * sizeof(io_uring_buf);
    slots_ = static_cast<io_uring_buf_ring*>(map(slots_bytes_));
    if (memory_ == nullptr || slots_ == nullptr) return -ENOMEM;
  }

  uring_abi::BufferRingRegistration registration{};
  static_assert(sizeof registration == sizeof(io_uring_buf_reg));
  registration.ring_address = reinterpret_cast<uint64_t>(slots_);
  registration.ring_entries = buffers_;
  registration.buffer_group = group;
  registration.flags = incremental ? uring_abi::buffer_ring_incremental : 0;
  const int result = io_uring_register_buf_ring(
      &ring, reinterpret_cast<io_uring_buf_reg*>(&registration), 0);
  if (result != 0) return result;

  ring_ = &ring;
  io_uring_buf_ring_init(slots_);
  used_bytes_.assign(buffers_, 0);
  spent_.reserve(buffers_);
  for (unsigned buffer = 0; buffer < buffers_; buffer++) {
    spent_.push_back(static_cast<uint16_t>(buffer));
  }
  give_back();
  return 0;
}

std::string_view BufferRing::take(uint16_t buffer, int32_t result) {
  assert(buffer < buffers_);
  const char* begin = memory_ + size_t{buffer} * buffer_bytes_;
  const uint32_t bytes = result > 0 ? static_cast<uint32_t>(result) : 0;
  if (!incremental_) {
    available_--;
    spent_.push_back(buffer);
    return {begin, bytes};
  }
  // Counted here rather than taken from the completion's flag: kernels up to 6.19 call a buffer
  // spent at end of file though nothing of it was used.
  uint32_t& used = used_bytes_[buffer];
  begin += used;
  used += bytes;
  assert(used <= buffer_bytes_);
  if (used == buffer_bytes_) {
    available_--;
    spent_.push_back(buffer);
  }
  return {begin, bytes};
}

void BufferRing::give_back() {
  if (spent_.empty()) return;
  int offset = 0;
  const int mask = io_uring_buf_ring_mask(buffers_);
  for (const uint16_t buffer : spent_) {
    used_bytes_[buffer] = 0;
    io_uring_buf_ring_add(slots_, memory_ + size_t{buffer} * buffer_bytes_, buffer_bytes_, buffer,
                          mask, offset++);
  }
  io_uring_buf_ring_advance(slots_, offset);
  available_ += static_cast<unsigned>(offset);
  spent_.clear();
}

}  // namespace peal::core
