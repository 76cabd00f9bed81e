#include "core/buffer_ring.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "core/ring.hpp"
#include "core/uring_abi.hpp"

namespace peal::core {
namespace {

// The parser reads a vector at a time, up to this far behind a buffer's end.
constexpr size_t slack_bytes = 64;

void* map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

BufferRing::~BufferRing() {
  if (ring_ != nullptr) io_uring_unregister_buf_ring(ring_, shape_.group);
  if (slots_ != nullptr) munmap(slots_, slots_bytes_);
  if (memory_ != nullptr) munmap(memory_, memory_bytes_);
}

int BufferRing::open(io_uring& ring, const Shape& shape) {
  assert(ring_ == nullptr && memory_ == nullptr);
  shape_ = shape;
  const size_t memory_bytes = size_t{shape.buffers} * shape.buffer_bytes + slack_bytes;
  const size_t slots_bytes = shape.buffers * sizeof(io_uring_buf);
  void* const memory = map(memory_bytes);
  void* const slots = map(slots_bytes);
  uring_abi::BufferRingRegistration registration{};
  static_assert(sizeof registration == sizeof(io_uring_buf_reg));
  registration.ring_address = reinterpret_cast<uint64_t>(slots);
  registration.ring_entries = shape.buffers;
  registration.buffer_group = shape.group;
  registration.flags = shape.incremental ? uring_abi::buffer_ring_incremental : 0;
  int result = -ENOMEM;
  if (memory != nullptr && slots != nullptr) {
    result =
        io_uring_register_buf_ring(&ring, reinterpret_cast<io_uring_buf_reg*>(&registration), 0);
  }
  if (result != 0) {
    if (memory != nullptr) munmap(memory, memory_bytes);
    if (slots != nullptr) munmap(slots, slots_bytes);
    return result;
  }
  ring_ = &ring;
  memory_ = static_cast<char*>(memory);
  memory_bytes_ = memory_bytes;
  slots_ = static_cast<io_uring_buf_ring*>(slots);
  slots_bytes_ = slots_bytes;
  io_uring_buf_ring_init(slots_);
  used_bytes_.assign(shape.buffers, 0);
  spent_.reserve(shape.buffers);
  holds_ = std::make_unique<BufferHold[]>(shape.buffers);
  held_.reserve(shape.buffers);
  for (unsigned buffer = 0; buffer < shape.buffers; buffer++) {
    spent_.push_back(static_cast<uint16_t>(buffer));
  }
  give_back();
  return 0;
}

std::string_view BufferRing::take(uint16_t id, int32_t result) {
  assert(group_of(id) == shape_.group);
  const auto buffer = static_cast<uint16_t>(id & ((1u << group_shift) - 1));
  assert(buffer < shape_.buffers);
  const char* begin = memory_ + size_t{buffer} * shape_.buffer_bytes;
  const uint32_t bytes = result > 0 ? static_cast<uint32_t>(result) : 0;
  if (!shape_.incremental) {
    available_--;
    spent_.push_back(buffer);
    return {begin, bytes};
  }
  // Counted here rather than taken from the completion's flag: kernels up to 6.19 call a buffer
  // spent at end of file though nothing of it was used.
  uint32_t& used = used_bytes_[buffer];
  begin += used;
  used += bytes;
  assert(used <= shape_.buffer_bytes);
  if (used == shape_.buffer_bytes) {
    available_--;
    spent_.push_back(buffer);
  }
  return {begin, bytes};
}

BufferHold* BufferRing::hold(const char* at) {
  // Compared as numbers: it may lie in other memory.
  const uintptr_t offset = reinterpret_cast<uintptr_t>(at) - reinterpret_cast<uintptr_t>(memory_);
  if (offset >= size_t{shape_.buffers} * shape_.buffer_bytes) return nullptr;
  const auto buffer = static_cast<uint16_t>(offset / shape_.buffer_bytes);
  if (std::ranges::find(held_, buffer) == held_.end()) {
    if (held_.size() >= shape_.buffers / 2) return nullptr;
    held_.push_back(buffer);
  }
  holds_[buffer].begin();
  return &holds_[buffer];
}

void BufferRing::give_back() {
  if (!held_.empty()) {
    std::erase_if(held_, [this](uint16_t buffer) { return holds_[buffer].ended(); });
  }
  if (spent_.empty()) return;
  int offset = 0;
  const int mask = io_uring_buf_ring_mask(shape_.buffers);
  const auto lend = [&](uint16_t buffer) {
    if (std::ranges::find(held_, buffer) != held_.end()) return false;
    used_bytes_[buffer] = 0;
    io_uring_buf_ring_add(
        slots_, memory_ + size_t{buffer} * shape_.buffer_bytes, shape_.buffer_bytes,
        static_cast<uint16_t>(buffer | shape_.group << group_shift), mask, offset++);
    return true;
  };
  std::erase_if(spent_, lend);
  if (offset == 0) return;
  io_uring_buf_ring_advance(slots_, offset);
  available_ += static_cast<unsigned>(offset);
}

}  // namespace peal::core
