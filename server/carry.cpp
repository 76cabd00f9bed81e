#include "server/carry.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace peal::server {
namespace {

// A block grows to at most so many times what has arrived. Each growth copies, so the steps are
// wide.
constexpr size_t growth = 8;

}  // namespace

Carry::~Carry() { assert(chunk_ == nullptr); }

char* Carry::memory() const {
  if (chunk_ != nullptr) return chunk_->bytes();
  return block_ ? block_->bytes() : nullptr;
}

size_t Carry::capacity() const {
  if (chunk_ != nullptr) return chunk_->capacity;
  return block_ ? block_->capacity : 0;
}

std::string_view Carry::bytes() const {
  if (empty()) return {};
  return {memory() + begin_, size()};
}

bool Carry::append(core::ChunkPool& pool, std::string_view bytes, size_t needed_bytes) {
  const size_t total = size() + bytes.size();
  // What is referenced by an outbox or a mailbox is not written to any more, not even behind its
  // end: the sum of holders could not tell whose end it was.
  const bool writable = chunk_ != nullptr || (block_ && !block_.shared());
  if (writable && capacity() - end_ >= bytes.size()) {
    std::memcpy(memory() + end_, bytes.data(), bytes.size());
    end_ += static_cast<uint32_t>(bytes.size());
    return true;
  }
  const std::string_view kept = this->bytes();
  if (needed_bytes >= block_bytes_min) {
    const size_t wanted =
        std::max(total, std::min(needed_bytes, std::max(block_bytes_min, total * growth)));
    core::BlockRef larger = core::make_payload_block(wanted);
    if (!larger) return false;
    if (!kept.empty()) std::memcpy(larger->bytes(), kept.data(), kept.size());
    if (chunk_ != nullptr) pool.give_back(chunk_);
    chunk_ = nullptr;
    block_ = std::move(larger);
  } else {
    core::Chunk* larger = pool.take(0, std::max(total, needed_bytes));
    if (!kept.empty()) std::memcpy(larger->bytes(), kept.data(), kept.size());
    if (chunk_ != nullptr) pool.give_back(chunk_);
    block_ = {};
    chunk_ = larger;
  }
  begin_ = 0;
  end_ = static_cast<uint32_t>(kept.size());
  std::memcpy(memory() + end_, bytes.data(), bytes.size());
  end_ += static_cast<uint32_t>(bytes.size());
  return true;
}

void Carry::consume(core::ChunkPool& pool, size_t bytes) {
  assert(bytes <= size());
  begin_ += static_cast<uint32_t>(bytes);
  if (empty()) clear(pool);
}

void Carry::clear(core::ChunkPool& pool) {
  if (chunk_ != nullptr) pool.give_back(chunk_);
  chunk_ = nullptr;
  block_ = {};
  begin_ = end_ = 0;
}

}  // namespace peal::server
