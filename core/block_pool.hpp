#pragma once
// Memory for very many small objects of one thread, each named by a 32-bit number: half a pointer,
// and as quick to follow. Blocks never move. It knows sizes; what lies in a block it must never
// know.
//
// A chunk holds blocks of one size class and is given back when its last block goes, so memory
// returns when a million objects go. What is too large for a class gets a chunk of its own.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace peal::core {

class BlockPool {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  /// `apart` gives every block a chunk of its own, so that a sanitizer sees each of them.
  enum class Layout { packed, apart };
#if defined(__SANITIZE_ADDRESS__)
  static constexpr Layout default_layout = Layout::apart;
#elif defined(__has_feature)
  static constexpr Layout default_layout =
      __has_feature(address_sanitizer) ? Layout::apart : Layout::packed;
#else
  static constexpr Layout default_layout = Layout::packed;
#endif

  explicit BlockPool(Layout layout = default_layout);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// Uninitialised. Aligned to eight bytes when its size is a multiple of eight, else to four.
  uint32_t allocate(size_t bytes);
  void free(uint32_t block);

  void* at(uint32_t block) const {
    return chunk_bytes_[block >> unit_bits] + size_t{block & unit_mask} * unit_bytes;
  }
  template <class T>
  T& get(uint32_t block) const {
    return *static_cast<T*>(at(block));
  }

  /// How large the block really is; at least what was asked for.
  size_t block_bytes(uint32_t block) const { return chunks_[block >> unit_bits].block_bytes; }

  /// All memory that is held, free blocks included.
  size_t bytes() const;
  size_t blocks() const { return blocks_; }

  /// Seven eighths of the numbers for chunks are taken: 14 GiB, or less where blocks are large. Who
  /// goes on to the end of them ends the process.
  bool nearly_full() const { return chunks() >= chunks_max - chunks_reserved; }
  /// As many again are free.
  bool has_room() const { return chunks() < chunks_max - 2 * chunks_reserved; }

 private:
  // Numbers count units of four bytes: 2^13 of them in a chunk leave 2^19 chunks, together 16 GiB.
  static constexpr uint32_t unit_bytes = 4;
  static constexpr uint32_t unit_bits = 13;
  static constexpr uint32_t unit_mask = (1u << unit_bits) - 1;
  static constexpr uint32_t chunk_size_bytes = unit_bytes << unit_bits;
  // Who has so much will fill the next chunk too.
  static constexpr size_t large_pool_bytes = 1024 * 1024;
  static constexpr uint32_t chunks_max = (1u << (32 - unit_bits)) - 1;  // The last one is `none`'s.
  static constexpr uint32_t chunks_reserved = chunks_max / 8;

  // Classes: every multiple of four up to 256, then eight to each doubling up to 8192, so that the
  // longest filter of a usual control line has one too.
  static constexpr size_t small_bytes_max = 256;
  static constexpr size_t classed_bytes_max = 8192;
  static constexpr uint16_t classes = 64 + 5 * 8;
  static constexpr uint16_t no_class = UINT16_MAX;

  struct Chunk {
    uint32_t block_bytes;
    uint32_t free_unit;   // Head of the list of blocks that were used and are free; none.
    uint32_t next, prev;  // Among the chunks of the class that have room.
    uint16_t size_class;
    uint16_t used;
    uint16_t touched;  // Blocks from this one on were never used, so their pages may not exist yet.
    uint16_t room;     // Blocks that fit.
  };

  size_t chunks() const { return chunks_.size() - free_numbers_.size(); }
  static uint16_t class_of(size_t bytes, uint32_t& rounded_bytes);
  uint32_t add_chunk(uint16_t size_class, uint32_t block_bytes, size_t chunk_bytes);
  void drop_chunk(uint32_t chunk);
  void link(uint32_t chunk);
  void unlink(uint32_t chunk);

  const Layout layout_;
  std::vector<char*> chunk_bytes_;  // Apart from the rest, because every access goes through it.
  std::vector<Chunk> chunks_;
  std::vector<uint32_t> free_numbers_;
  uint32_t open_[classes];
  // One empty chunk is kept, or else a lone subscription that comes and goes would allocate each
  // time.
  char* spare_ = nullptr;
  size_t held_bytes_ = 0;
  size_t blocks_ = 0;
};

}  // namespace peal::core
