#include "core/block_pool.hpp"

#include <bit>
#include <cassert>
#include <cstring>

#include "core/memory.hpp"

namespace peal::core {

BlockPool::BlockPool(Layout layout) : layout_(layout) {
  for (uint32_t& open : open_) open = none;
}

BlockPool::~BlockPool() {
  for (char* bytes : chunk_bytes_) ::operator delete(bytes);
  ::operator delete(spare_);
}

uint16_t BlockPool::class_of(size_t bytes, uint32_t& rounded_bytes) {
  if (bytes <= small_bytes_max) {
    const size_t units = bytes == 0 ? 1 : (bytes + unit_bytes - 1) / unit_bytes;
    rounded_bytes = static_cast<uint32_t>(units * unit_bytes);
    return static_cast<uint16_t>(units - 1);
  }
  const int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
  const size_t step_bytes = size_t{1} << (power - 3);
  const size_t steps = (bytes + step_bytes - 1) / step_bytes;  // 9 to 16
  rounded_bytes = static_cast<uint32_t>(steps * step_bytes);
  return static_cast<uint16_t>(64 + (power - 8) * 8 + static_cast<int>(steps) - 9);
}

uint32_t BlockPool::allocate(size_t bytes) {
  blocks_++;
  if (bytes > classed_bytes_max || layout_ == Layout::apart) {
    assert(bytes <= UINT32_MAX - 8);
    const size_t rounded = bytes == 0 ? 4 : (bytes + 3) & ~size_t{3};
    const uint32_t number = add_chunk(no_class, static_cast<uint32_t>(rounded), rounded);
    chunks_[number].used = chunks_[number].touched = chunks_[number].room = 1;
    return number << unit_bits;
  }
  uint32_t rounded_bytes;
  const uint16_t size_class = class_of(bytes, rounded_bytes);
  uint32_t number = open_[size_class];
  if (number == none) {
    number = add_chunk(size_class, rounded_bytes, chunk_size_bytes);
    chunks_[number].room = static_cast<uint16_t>(chunk_size_bytes / rounded_bytes);
    link(number);
  }
  Chunk& chunk = chunks_[number];
  uint32_t unit;
  if (chunk.free_unit != none) {
    unit = chunk.free_unit;
    std::memcpy(&chunk.free_unit, chunk_bytes_[number] + size_t{unit} * unit_bytes, 4);
  } else {
    unit = chunk.touched++ * (rounded_bytes / unit_bytes);
  }
  if (++chunk.used == chunk.room) unlink(number);
  return number << unit_bits | unit;
}

void BlockPool::free(uint32_t block) {
  assert(block != none);
  const uint32_t number = block >> unit_bits;
  Chunk& chunk = chunks_[number];
  assert(chunk.used > 0);
  blocks_--;
  if (chunk.size_class == no_class) return drop_chunk(number);
  if (chunk.used-- == chunk.room) link(number);
  if (chunk.used == 0) {
    unlink(number);
    return drop_chunk(number);
  }
  std::memcpy(at(block), &chunk.free_unit, 4);
  chunk.free_unit = block & unit_mask;
}

size_t BlockPool::bytes() const {
  return held_bytes_ + chunks_.capacity() * sizeof(Chunk) +
         chunk_bytes_.capacity() * sizeof(char*) + free_numbers_.capacity() * sizeof(uint32_t);
}

uint32_t BlockPool::add_chunk(uint16_t size_class, uint32_t block_bytes, size_t chunk_bytes) {
  char* bytes;
  if (spare_ != nullptr && size_class != no_class) {
    bytes = spare_;
    spare_ = nullptr;
  } else {
    bytes = static_cast<char*>(::operator new(chunk_bytes));
    held_bytes_ += chunk_bytes;
    if (held_bytes_ > large_pool_bytes && size_class != no_class) make_present(bytes, chunk_bytes);
  }
  uint32_t number;
  if (free_numbers_.empty()) {
    number = static_cast<uint32_t>(chunks_.size());
    if (number >= chunks_max) end_out_of_memory();
    chunks_.emplace_back();
    chunk_bytes_.emplace_back();
  } else {
    number = free_numbers_.back();
    free_numbers_.pop_back();
  }
  chunks_[number] = {block_bytes, none, none, none, size_class, 0, 0, 0};
  chunk_bytes_[number] = bytes;
  return number;
}

void BlockPool::drop_chunk(uint32_t number) {
  const Chunk& chunk = chunks_[number];
  if (chunk.size_class != no_class && spare_ == nullptr) {
    spare_ = chunk_bytes_[number];
  } else {
    ::operator delete(chunk_bytes_[number]);
    held_bytes_ -= chunk.size_class == no_class ? chunk.block_bytes : chunk_size_bytes;
  }
  chunk_bytes_[number] = nullptr;
  free_numbers_.push_back(number);
}

void BlockPool::link(uint32_t number) {
  Chunk& chunk = chunks_[number];
  uint32_t& open = open_[chunk.size_class];
  chunk.prev = none;
  chunk.next = open;
  if (open != none) chunks_[open].prev = number;
  open = number;
}

void BlockPool::unlink(uint32_t number) {
  const Chunk& chunk = chunks_[number];
  if (chunk.prev != none) {
    chunks_[chunk.prev].next = chunk.next;
  } else {
    open_[chunk.size_class] = chunk.next;
  }
  if (chunk.next != none) chunks_[chunk.next].prev = chunk.prev;
}

}  // namespace peal::core
