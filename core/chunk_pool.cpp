#include "core/chunk_pool.hpp"

#include <cassert>
#include <new>

#include "core/ledger.hpp"
#include "core/memory.hpp"

namespace peal::core {
namespace {

constexpr uint8_t no_class = ChunkPool::size_classes;

size_t allocated_bytes(const Chunk& chunk) { return sizeof(Chunk) + chunk.capacity; }

}  // namespace

ChunkPool::~ChunkPool() {
  for (Chunk*& first : idle_) {
    while (first != nullptr) {
      Chunk* next = first->next;
      std::free(first);
      first = next;
    }
  }
}

Chunk* ChunkPool::take(uint8_t size_class, size_t bytes) {
  assert(size_class < size_classes);
  while (size_class < size_classes && capacity_of(size_class) < bytes) size_class++;
  if (size_class < size_classes && idle_[size_class] != nullptr) {
    Chunk* chunk = idle_[size_class];
    idle_[size_class] = chunk->next;
    idle_bytes_ -= class_bytes[size_class];
    chunk->next = nullptr;
    chunk->sent = chunk->written = 0;
    chunk->is_reference = false;
    ledger().charge(Purpose::chunks, allocated_bytes(*chunk));
    return chunk;
  }
  const size_t capacity = size_class < size_classes ? capacity_of(size_class) : bytes;
  auto* chunk = new (allocate_or_end(sizeof(Chunk) + capacity)) Chunk;
  chunk->capacity = static_cast<uint32_t>(capacity);
  chunk->size_class = size_class < size_classes ? size_class : no_class;
  ledger().charge(Purpose::chunks, allocated_bytes(*chunk));
  return chunk;
}

void ChunkPool::give_back(Chunk* chunk) {
  ledger().release(Purpose::chunks, allocated_bytes(*chunk));
  if (chunk->size_class == no_class ||
      idle_bytes_ + class_bytes[chunk->size_class] > idle_bytes_max) {
    std::free(chunk);
    return;
  }
  chunk->next = idle_[chunk->size_class];
  idle_[chunk->size_class] = chunk;
  idle_bytes_ += class_bytes[chunk->size_class];
}

}  // namespace peal::core
