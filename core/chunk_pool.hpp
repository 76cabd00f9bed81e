#pragma once
// Memory for bytes that wait to be sent: chunks of a few sizes, kept for reuse in the order that
// finds them warm. A connection with a line to send takes a small one; one that streams takes large
// ones. It knows sizes; it must never know what is in a chunk. One thread at a time.

#include <array>
#include <cstddef>
#include <cstdint>

namespace peal::core {

/// The bytes follow the structure. From `sent` to `written` they wait; what follows is free.
struct Chunk {
  Chunk* next = nullptr;
  uint32_t sent = 0;
  uint32_t written = 0;
  uint32_t capacity = 0;
  uint8_t size_class = 0;
  bool is_reference = false;  // The owner's mark: its bytes say where the real ones lie.

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

class ChunkPool {
 public:
  static constexpr uint8_t size_classes = 4;
  /// With their head, as large as what an allocator has ready.
  static constexpr std::array<uint32_t, size_classes> class_bytes = {512, 4096, 16 * 1024,
                                                                     64 * 1024};
  /// What lies idle for reuse, at most; the rest goes back to the allocator.
  static constexpr size_t idle_bytes_max = 2 * 1024 * 1024;

  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  static constexpr size_t capacity_of(uint8_t size_class) {
    return class_bytes[size_class] - sizeof(Chunk);
  }

  /// A chunk of this class, or a single one of any size when `bytes` is more than a class holds.
  Chunk* take(uint8_t size_class, size_t bytes);
  void give_back(Chunk* chunk);

 private:
  std::array<Chunk*, size_classes> idle_{};
  size_t idle_bytes_ = 0;
};

}  // namespace peal::core
