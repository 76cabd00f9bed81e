#include "server/outbox.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace peal::server {
namespace {

/// What the bytes of a reference chunk hold. The chunk counts as full, so nothing is written after
/// it.
struct Reference {
  core::BlockRef block;
  const char* begin;
};

Reference& reference_of(core::Chunk& chunk) {
  assert(chunk.is_reference);
  return *std::launder(reinterpret_cast<Reference*>(chunk.bytes()));
}

const char* content(core::Chunk& chunk) {
  return chunk.is_reference ? reference_of(chunk).begin : chunk.bytes();
}

constexpr uint8_t reference_class = 0;
static_assert(core::ChunkPool::capacity_of(reference_class) >= sizeof(Reference));

}  // namespace

Outbox::~Outbox() { assert(head_ == nullptr); }

char* Outbox::grow(core::ChunkPool& pool, size_t bytes) {
  if (tail_ != nullptr && !tail_->is_reference && size_class_ + 1 < core::ChunkPool::size_classes) {
    size_class_++;
  }
  link(pool.take(size_class_, bytes));
  return tail_->bytes();
}

void Outbox::link(core::Chunk* chunk) {
  if (tail_ == nullptr) {
    head_ = chunk;
  } else {
    tail_->next = chunk;
  }
  tail_ = chunk;
}

void Outbox::append(core::ChunkPool& pool, std::string_view bytes) {
  std::memcpy(reserve(pool, bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void Outbox::append_reference(core::ChunkPool& pool, core::BlockRef block, std::string_view bytes) {
  core::Chunk* chunk = pool.take(reference_class, sizeof(Reference));
  new (chunk->bytes()) Reference{std::move(block), bytes.data()};
  chunk->is_reference = true;
  chunk->capacity = chunk->written = static_cast<uint32_t>(bytes.size());
  link(chunk);
  pending_bytes_ += bytes.size();
}

size_t Outbox::gather(std::span<iovec> parts, size_t bytes_max) const {
  size_t count = 0;
  for (core::Chunk* chunk = head_; chunk != nullptr && count < parts.size() && bytes_max > 0;
       chunk = chunk->next) {
    const size_t bytes = std::min<size_t>(chunk->written - chunk->sent, bytes_max);
    if (bytes == 0) continue;
    parts[count++] = {const_cast<char*>(content(*chunk)) + chunk->sent, bytes};
    bytes_max -= bytes;
  }
  return count;
}

void Outbox::advance(core::ChunkPool& pool, size_t bytes) {
  assert(bytes <= pending_bytes_);
  pending_bytes_ -= bytes;
  if (pending_bytes_ == 0) {
    // One that needed only its first chunk will do with a smaller one.
    if (head_ == tail_ && size_class_ > 0 && head_->written < head_->capacity / 8) size_class_--;
    while (head_ != nullptr) drop_head(pool);
    return;
  }
  while (bytes > 0) {
    const size_t waiting = head_->written - head_->sent;
    if (bytes < waiting) {
      head_->sent += static_cast<uint32_t>(bytes);
      return;
    }
    bytes -= waiting;
    if (head_ == tail_) {
      head_->sent = head_->written;
      assert(bytes == 0);
      return;
    }
    drop_head(pool);
  }
}

void Outbox::clear(core::ChunkPool& pool) {
  while (head_ != nullptr) drop_head(pool);
  pending_bytes_ = 0;
}

void Outbox::drop_head(core::ChunkPool& pool) {
  core::Chunk* chunk = head_;
  head_ = chunk->next;
  if (head_ == nullptr) tail_ = nullptr;
  if (chunk->is_reference) {
    reference_of(*chunk).~Reference();
    chunk->capacity = static_cast<uint32_t>(core::ChunkPool::capacity_of(reference_class));
  }
  pool.give_back(chunk);
}

}  // namespace peal::server
