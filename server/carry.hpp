#pragma once
// What a read left incomplete, or what a paused connection has brought: bytes kept until the rest
// of their command comes, or until the connection may go on. Small ones lie in a pooled chunk; a
// large message gets a counted block of its own, so that it can be delivered without another copy.
// It knows bytes; it must never know a command. An empty carry holds no memory.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/chunk_pool.hpp"
#include "core/frame.hpp"

namespace peal::server {

class Carry {
 public:
  /// A command of so many bytes or more is gathered in a block.
  static constexpr size_t block_bytes_min = 16 * 1024;

  Carry() = default;
  ~Carry();
  Carry(const Carry&) = delete;
  Carry& operator=(const Carry&) = delete;

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  std::string_view bytes() const;

  /// Keeps `bytes` behind what is there. `needed_bytes` is how long the command in front will be at
  /// least; memory for it is taken as it comes, not because it was announced. False when there is
  /// no memory for a block.
  bool append(core::ChunkPool& pool, std::string_view bytes, size_t needed_bytes);

  void consume(core::ChunkPool& pool, size_t bytes);
  void clear(core::ChunkPool& pool);

  /// The block that the bytes lie in, empty when they lie in a chunk. Who holds it keeps them.
  const core::BlockRef& block() const { return block_; }

 private:
  char* memory() const;
  size_t capacity() const;

  core::Chunk* chunk_ = nullptr;
  core::BlockRef block_;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
};

}  // namespace peal::server
