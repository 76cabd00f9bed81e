#pragma once
// A list of 32-bit words in eight bytes, for when there are millions of lists and most hold one
// word. One word lies in the list itself, up to 1024 in one block that doubles, more in blocks of
// 1024 under a directory: so no step moves more than 4 KiB of words, however long the list is. The
// order is lost by removing, which puts the last word in the gap.

#include <cstdint>
#include <span>

#include "core/block_pool.hpp"

namespace peal::core {

class WordList {
 public:
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  uint32_t get(const BlockPool& pool, uint32_t at) const { return *place(pool, at); }
  void set(const BlockPool& pool, uint32_t at, uint32_t word) { *place(pool, at) = word; }
  void push(BlockPool& pool, uint32_t word);

  /// The last word takes the place of the one that goes.
  void remove(BlockPool& pool, uint32_t at);

  /// Calls `take` with all words, run by run.
  template <class Take>
  void each_run(const BlockPool& pool, Take&& take) const {
    if (size_ == 0) return;
    if (size_ == 1) return take(std::span<const uint32_t>(&ref_, 1));
    if (size_ <= block_words) return take(std::span<const uint32_t>(words(pool, ref_), size_));
    const uint32_t* directory = words(pool, ref_);
    for (uint32_t done = 0; done < size_; done += block_words) {
      const uint32_t rest = size_ - done;
      take(std::span<const uint32_t>(words(pool, *directory++),
                                     rest < block_words ? rest : block_words));
    }
  }

 private:
  static constexpr uint32_t block_words = 1024;

  static uint32_t* words(const BlockPool& pool, uint32_t block) {
    return static_cast<uint32_t*>(pool.at(block));
  }
  const uint32_t* place(const BlockPool& pool, uint32_t at) const;
  uint32_t* place(const BlockPool& pool, uint32_t at) {
    return const_cast<uint32_t*>(static_cast<const WordList*>(this)->place(pool, at));
  }
  static uint32_t resized(BlockPool& pool, uint32_t block, uint32_t words_kept,
                          uint32_t words_room);

  uint32_t size_ = 0;
  uint32_t ref_ = BlockPool::none;  // The word, its block, or the directory.
};

}  // namespace peal::core
