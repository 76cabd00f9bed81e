#pragma once
// What the kernel offers beyond the headers of Debian 12 (liburing 2.3): constants by value, each
// with the kernel that brought it, and the one structure whose padding has become a field since.
// Everything here is used only after a probe at start said that this kernel has it.

#include <cstdint>

namespace peal::core::uring_abi {

/// io_uring_buf_reg, whose `pad` of 6.1 is `flags` now.
struct BufferRingRegistration {
  uint64_t ring_address;
  uint32_t ring_entries;
  uint16_t buffer_group;
  uint16_t flags;
  uint64_t reserved[3];
};

/// 6.12: a receive takes a part of a buffer and the next one goes on behind it.
inline constexpr uint16_t buffer_ring_incremental = 2;

}  // namespace peal::core::uring_abi
