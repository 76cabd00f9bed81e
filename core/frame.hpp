#pragma once
// A large payload as immutable counted bytes, shared by everyone who has it to send, on whichever
// shard. It knows its length and how many hold it. Whoever lets go last frees it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "core/ledger.hpp"
#include "core/memory.hpp"

namespace peal::core {

/// Memory with a count. The bytes follow the structure.
struct Block {
  std::atomic<uint32_t> holders{1};
  uint32_t capacity = 0;

  char* bytes() { return reinterpret_cast<char*>(this + 1); }

  /// nullptr when the machine has no memory for it.
  static Block* make(size_t capacity_bytes) {
    void* memory = allocate_or_refuse(sizeof(Block) + capacity_bytes);
    if (memory == nullptr) return nullptr;
    auto* block = new (memory) Block;
    block->capacity = static_cast<uint32_t>(capacity_bytes);
    return block;
  }
};

/// One holder of a block. Moves between threads only through a mailbox, which orders the accesses.
class BlockRef {
 public:
  BlockRef() = default;
  /// Takes over the count that comes with `block`.
  explicit BlockRef(Block* block) : block_(block) {}
  BlockRef(const BlockRef& other) : block_(other.block_) {
    if (block_ != nullptr) block_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ == nullptr) return;
    if (block_->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    ledger().release(Purpose::payload, block_->capacity);
    block_->~Block();
    std::free(block_);
  }

  explicit operator bool() const { return block_ != nullptr; }
  Block* get() const { return block_; }
  Block* operator->() const { return block_; }
  bool shared() const { return block_->holders.load(std::memory_order_acquire) != 1; }

  /// Gives the count away, for the journey through a mailbox.
  Block* leave() { return std::exchange(block_, nullptr); }

 private:
  Block* block_ = nullptr;
};

/// A block for payload, charged to this thread's ledger; empty when there is no memory.
inline BlockRef make_payload_block(size_t capacity_bytes) {
  Block* block = Block::make(capacity_bytes);
  if (block != nullptr) ledger().charge(Purpose::payload, capacity_bytes);
  return BlockRef(block);
}

}  // namespace peal::core
