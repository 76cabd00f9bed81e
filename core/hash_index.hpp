#pragma once
// An extendible hash from 32-bit hashes to 32-bit numbers, ten to eleven bytes for each. What the
// numbers stand for, and whether two things with one hash are the same, the caller knows.
//
//   directory_, by the hash's upper bits        segment: buckets of eight, by its lower bits
//   [ 00 ]--.                                     [ hash x 8 | number x 8 ]
//   [ 01 ]--+--> segment of depth 1               [ hash x 8 | number x 8 ]
//   [ 10 ]-----> segment of depth 2               [ ...                   ]
//   [ 11 ]-----> segment of depth 2
//
// Growth never stops the world: a segment grows by fifths to 4 KiB and then splits in two, which
// moves some 450 pairs of words. Only the directory doubles whole, and it is a few thousandths of
// the rest. Segments shrink, merge and go as they empty.
//
// Within a segment, a pair lies in its own bucket or, if that is full, in the next that is not:
// every bucket from its own up to where it lies is full. Buckets are filled from the front.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace peal::core {

class HashIndex {
 public:
  static constexpr uint32_t none = UINT32_MAX;
  static constexpr size_t pair_bytes_about = 11;

  HashIndex();
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  /// The number under this hash for which `equal(number)` holds, or none.
  template <class Equal>
  uint32_t find(uint32_t hash, Equal&& equal) const {
    const Segment& segment = directory_[slot_of(hash)];
    if (segment.buckets == nullptr) return none;
    for (uint32_t at = home_of(hash, segment.size);;) {
      const Bucket& bucket = segment.buckets[at];
      for (uint32_t i = 0; i < bucket_pairs; i++) {
        if (bucket.hashes[i] == hash && bucket.numbers[i] != none && equal(bucket.numbers[i])) {
          return bucket.numbers[i];
        }
      }
      if (!bucket.full()) return none;
      if (++at == segment.size) at = 0;
    }
  }

  /// Brings the memory that find(), insert() and erase() will look at closer.
  void prefetch(uint32_t hash) const {
    const Segment& segment = directory_[slot_of(hash)];
    if (segment.buckets == nullptr) return;
    const char* bucket =
        reinterpret_cast<const char*>(segment.buckets + home_of(hash, segment.size));
    __builtin_prefetch(bucket);
  }

  /// REQUIRES that the number is not there under this hash.
  void insert(uint32_t hash, uint32_t number);

  /// REQUIRES that the number is there under this hash.
  void erase(uint32_t hash, uint32_t number);
  void replace(uint32_t hash, uint32_t number, uint32_t by);

  size_t size() const { return size_; }
  size_t bytes() const;

  /// Calls `take(hash, number)` for all, in no order.
  template <class Take>
  void each(Take&& take) const {
    for (size_t slot = 0; slot < directory_.size(); slot += span_of(directory_[slot])) {
      const Segment& segment = directory_[slot];
      for (uint32_t at = 0; at < segment.size; at++) {
        for (uint32_t i = 0; i < segment.buckets[at].count(); i++) {
          take(segment.buckets[at].hashes[i], segment.buckets[at].numbers[i]);
        }
      }
    }
  }

 private:
  static constexpr uint32_t bucket_pairs = 8;
  static constexpr uint32_t filled_max = 7;  // Of eight, on the average of a segment.
  static constexpr uint32_t filled_min = 4;
  static constexpr uint32_t segment_buckets_max = 64;
  static constexpr uint32_t merged_pairs_max = segment_buckets_max * filled_min;
  // The upper 20 bits choose the segment and the lower 12 the bucket, so the two stay independent.
  static constexpr uint32_t depth_max = 20;
  static constexpr uint32_t home_bits = 12;

  struct alignas(64) Bucket {
    std::array<uint32_t, bucket_pairs> hashes;
    std::array<uint32_t, bucket_pairs> numbers;  // none from the first free one on.
    bool full() const { return numbers[bucket_pairs - 1] != none; }
    uint32_t count() const {
      uint32_t pairs = 0;
      while (pairs < bucket_pairs && numbers[pairs] != none) pairs++;
      return pairs;
    }
  };

  // Stands in every slot of the directory that leads to it, so that a search needs one step less.
  // `pairs` is kept in the first of these slots only.
  struct Segment {
    Bucket* buckets = nullptr;
    uint16_t pairs = 0;
    uint16_t size = 0;  // Buckets.
    uint16_t depth = 0;
  };

  uint32_t slot_of(uint32_t hash) const {
    return static_cast<uint32_t>((uint64_t{hash} << depth_) >> 32);
  }
  static uint32_t home_of(uint32_t hash, uint32_t buckets) {
    return ((hash & ((1u << home_bits) - 1)) * buckets) >> home_bits;
  }
  size_t span_of(const Segment& segment) const { return size_t{1} << (depth_ - segment.depth); }
  size_t first_slot(uint32_t hash) const {
    const size_t slot = slot_of(hash);
    return slot & ~(span_of(directory_[slot]) - 1);
  }

  static uint32_t buckets_for(uint32_t pairs);
  static Bucket* new_buckets(uint32_t buckets);
  static void delete_buckets(Bucket* buckets);
  static void place(Segment& segment, uint32_t hash, uint32_t number);
  static void place_all(Segment& to, const Segment& from);
  static void fill_gap(Segment& segment, uint32_t at);
  bool locate(const Segment& segment, uint32_t hash, uint32_t number, uint32_t& at,
              uint32_t& i) const;
  void put(size_t first_slot, const Segment& segment);
  void free_buckets(const Segment& segment);
  void resize(size_t first_slot, uint32_t buckets);
  void split(size_t first_slot);
  void double_directory();
  void halve_directory();
  void shrink(size_t first_slot);
  bool merge(size_t& first_slot);

  uint32_t depth_ = 0;
  size_t deepest_ = 1;  // Segments whose depth is the directory's.
  size_t size_ = 0;
  size_t bucket_bytes_ = 0;
  std::vector<Segment> directory_;
};

}  // namespace peal::core
