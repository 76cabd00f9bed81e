#pragma once
// What waits to be sent to one client: bytes in chunks, and large payloads by reference. Deliveries
// are appended during a turn, one send takes them at its end, and what is in flight stays where it
// is until the kernel has let go. It knows bytes and how many wait; it must never know what they
// say, nor when to give up on a client.
//
//   head chunk                              tail chunk
//   [ sent | in flight ... | waiting ... ]->[ referenced block ]->[ waiting ... | free ]
//
// Nothing is copied or cleared when it grows. An empty outbox holds no memory.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/chunk_pool.hpp"
#include "core/frame.hpp"

namespace peal::server {

class Outbox {
 public:
  Outbox() = default;
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Room for at least so many bytes in one piece; commit() says how many were written.
  char* reserve(core::ChunkPool& pool, size_t bytes) {
    if (tail_ != nullptr && tail_->capacity - tail_->written >= bytes) [[likely]] {
      return tail_->bytes() + tail_->written;
    }
    return grow(pool, bytes);
  }
  /// How much the piece that reserve() has just given has in all.
  size_t room() const { return tail_->capacity - tail_->written; }
  void commit(size_t bytes) {
    tail_->written += static_cast<uint32_t>(bytes);
    pending_bytes_ += bytes;
  }

  void append(core::ChunkPool& pool, std::string_view bytes);

  /// A part of a block, sent from where it lies.
  void append_reference(core::ChunkPool& pool, core::BlockRef block, std::string_view bytes);

  /// What to send next, at most `bytes_max` in at most parts.size() pieces. Returns how many
  /// pieces.
  size_t gather(std::span<iovec> parts, size_t bytes_max) const;

  /// The kernel took so many. Frees what lies before.
  void advance(core::ChunkPool& pool, size_t bytes);

  /// Gives everything up. REQUIRES that nothing is in flight.
  void clear(core::ChunkPool& pool);

  bool empty() const { return pending_bytes_ == 0; }
  size_t pending_bytes() const { return pending_bytes_; }

 private:
  char* grow(core::ChunkPool& pool, size_t bytes);
  void link(core::Chunk* chunk);
  void drop_head(core::ChunkPool& pool);

  core::Chunk* head_ = nullptr;
  core::Chunk* tail_ = nullptr;
  size_t pending_bytes_ = 0;
  uint8_t size_class_ = 0;  // Of the next chunk: a client who was sent much will be sent much.
};

}  // namespace peal::server
