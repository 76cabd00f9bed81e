#include "core/word_list.hpp"

#include <cassert>
#include <cstring>

namespace peal::core {

const uint32_t* WordList::place(const BlockPool& pool, uint32_t at) const {
  assert(at < size_);
  if (size_ == 1) return &ref_;
  if (size_ <= block_words) return words(pool, ref_) + at;
  return words(pool, words(pool, ref_)[at / block_words]) + at % block_words;
}

uint32_t WordList::resized(BlockPool& pool, uint32_t block, uint32_t words_kept,
                           uint32_t words_room) {
  assert(words_kept <= words_room);
  const uint32_t larger = pool.allocate(size_t{words_room} * sizeof(uint32_t));
  std::memcpy(pool.at(larger), pool.at(block), size_t{words_kept} * sizeof(uint32_t));
  pool.free(block);
  return larger;
}

static uint32_t room_words(const BlockPool& pool, uint32_t block) {
  return static_cast<uint32_t>(pool.block_bytes(block) / sizeof(uint32_t));
}

void WordList::push(BlockPool& pool, uint32_t word) {
  const uint32_t at = size_;
  if (at == 0) {
    ref_ = word;
  } else if (at == 1) {
    const uint32_t first = ref_;
    ref_ = pool.allocate(2 * sizeof(uint32_t));
    words(pool, ref_)[0] = first;
    words(pool, ref_)[1] = word;
  } else if (at < block_words) {
    if (at == room_words(pool, ref_)) ref_ = resized(pool, ref_, at, at * 2);
    words(pool, ref_)[at] = word;
  } else {
    if (at % block_words == 0) {
      const uint32_t blocks = at / block_words;
      if (blocks == 1) {
        const uint32_t directory = pool.allocate(2 * sizeof(uint32_t));
        words(pool, directory)[0] = ref_;
        ref_ = directory;
      } else if (blocks == room_words(pool, ref_)) {
        ref_ = resized(pool, ref_, blocks, blocks * 2);
      }
      const uint32_t block = pool.allocate(block_words * sizeof(uint32_t));
      words(pool, ref_)[blocks] = block;
    }
    words(pool, words(pool, ref_)[at / block_words])[at % block_words] = word;
  }
  size_++;
}

void WordList::remove(BlockPool& pool, uint32_t at) {
  assert(at < size_);
  const uint32_t last = size_ - 1;
  if (at != last) set(pool, at, get(pool, last));
  size_ = last;
  if (last == 0) {
    ref_ = BlockPool::none;
  } else if (last == 1) {
    const uint32_t word = words(pool, ref_)[0];
    pool.free(ref_);
    ref_ = word;
  } else if (last < block_words) {
    // A quarter, so that a list that goes up and down by one does not move each time.
    const uint32_t room = room_words(pool, ref_);
    if (last <= room / 4) ref_ = resized(pool, ref_, last, room / 2);
  } else if (last % block_words == 0) {
    const uint32_t blocks = last / block_words;
    pool.free(words(pool, ref_)[blocks]);
    if (blocks == 1) {
      const uint32_t only = words(pool, ref_)[0];
      pool.free(ref_);
      ref_ = only;
    } else if (const uint32_t room = room_words(pool, ref_); blocks <= room / 4) {
      ref_ = resized(pool, ref_, blocks, room / 2);
    }
  }
}

}  // namespace peal::core
