#include "core/hash_index.hpp"

#include <algorithm>
#include <cassert>
#include <new>

namespace peal::core {

HashIndex::HashIndex() : directory_(1) {}

HashIndex::~HashIndex() {
  for (size_t slot = 0; slot < directory_.size(); slot += span_of(directory_[slot])) {
    delete_buckets(directory_[slot].buckets);
  }
}

void HashIndex::insert(uint32_t hash, uint32_t number) {
  assert(number != none);
  size_t first = first_slot(hash);
  while (directory_[first].pairs + 1u > directory_[first].size * filled_max) {
    const Segment& segment = directory_[first];
    if (segment.size >= segment_buckets_max && segment.depth < depth_max) {
      split(first);
      first = first_slot(hash);
    } else {
      const uint32_t grown = segment.size + std::max(1u, segment.size / 5u);
      assert(grown <= UINT16_MAX / bucket_pairs);  // Only a hash that is not one gets here.
      resize(first, segment.depth < depth_max ? std::min(grown, segment_buckets_max) : grown);
    }
  }
  Segment& segment = directory_[first];
  place(segment, hash, number);
  segment.pairs++;
  size_++;
}

void HashIndex::erase(uint32_t hash, uint32_t number) {
  const size_t first = first_slot(hash);
  Segment& segment = directory_[first];
  uint32_t at = 0, i = 0;
  const bool found = locate(segment, hash, number, at, i);
  assert(found);
  if (!found) return;
  Bucket& bucket = segment.buckets[at];
  const bool was_full = bucket.full();
  const uint32_t last = bucket.count() - 1;
  bucket.hashes[i] = bucket.hashes[last];
  bucket.numbers[i] = bucket.numbers[last];
  bucket.numbers[last] = none;
  if (was_full) fill_gap(segment, at);
  segment.pairs--;
  size_--;
  if (segment.pairs < segment.size * filled_min && (segment.size > 1 || segment.pairs == 0)) {
    shrink(first);
  }
}

void HashIndex::replace(uint32_t hash, uint32_t number, uint32_t by) {
  const Segment& segment = directory_[slot_of(hash)];
  uint32_t at = 0, i = 0;
  const bool found = locate(segment, hash, number, at, i);
  assert(found && by != none);
  if (found) segment.buckets[at].numbers[i] = by;
}

size_t HashIndex::bytes() const { return bucket_bytes_ + directory_.capacity() * sizeof(Segment); }

/// So many that there is room for a fifth more before they grow.
uint32_t HashIndex::buckets_for(uint32_t pairs) { return (pairs * 6 + 34) / 35; }

HashIndex::Bucket* HashIndex::new_buckets(uint32_t buckets) {
  if (buckets == 0) return nullptr;
  void* const memory = ::operator new (buckets * sizeof(Bucket), std::align_val_t{alignof(Bucket)});
  Bucket* const first = static_cast<Bucket*>(memory);
  for (uint32_t at = 0; at < buckets; at++) {
    Bucket* const bucket = new (first + at) Bucket;
    bucket->hashes.fill(0);
    bucket->numbers.fill(none);
  }
  return first;
}

void HashIndex::delete_buckets(Bucket* buckets) {
  ::operator delete (buckets, std::align_val_t{alignof(Bucket)});
}

bool HashIndex::locate(const Segment& segment, uint32_t hash, uint32_t number, uint32_t& at,
                       uint32_t& i) const {
  if (segment.size == 0) return false;
  at = home_of(hash, segment.size);
  for (uint32_t looked = 0; looked < segment.size; looked++) {
    const Bucket& bucket = segment.buckets[at];
    for (i = 0; i < bucket_pairs; i++) {
      if (bucket.numbers[i] == number && bucket.hashes[i] == hash) return true;
    }
    if (!bucket.full()) return false;
    if (++at == segment.size) at = 0;
  }
  return false;
}

void HashIndex::place(Segment& segment, uint32_t hash, uint32_t number) {
  uint32_t at = home_of(hash, segment.size);
  while (segment.buckets[at].full()) {
    if (++at == segment.size) at = 0;
  }
  Bucket& bucket = segment.buckets[at];
  const uint32_t i = bucket.count();
  bucket.hashes[i] = hash;
  bucket.numbers[i] = number;
}

void HashIndex::place_all(Segment& to, const Segment& from) {
  for (uint32_t at = 0; at < from.size; at++) {
    const Bucket& bucket = from.buckets[at];
    for (uint32_t i = 0; i < bucket_pairs && bucket.numbers[i] != none; i++) {
      place(to, bucket.hashes[i], bucket.numbers[i]);
    }
  }
}

/// The bucket was full and is no longer: whoever passed it on the way to a later one comes back.
void HashIndex::fill_gap(Segment& segment, uint32_t gap) {
  uint32_t at = gap;
  for (uint32_t looked = 1; looked < segment.size; looked++) {
    if (++at == segment.size) at = 0;
    Bucket& bucket = segment.buckets[at];
    const uint32_t pairs = bucket.count();
    const uint32_t from_gap = at >= gap ? at - gap : at + segment.size - gap;
    for (uint32_t i = 0; i < pairs; i++) {
      const uint32_t home = home_of(bucket.hashes[i], segment.size);
      const uint32_t from_home = at >= home ? at - home : at + segment.size - home;
      if (from_home < from_gap) continue;
      Bucket& before = segment.buckets[gap];
      before.hashes[bucket_pairs - 1] = bucket.hashes[i];
      before.numbers[bucket_pairs - 1] = bucket.numbers[i];
      bucket.hashes[i] = bucket.hashes[pairs - 1];
      bucket.numbers[i] = bucket.numbers[pairs - 1];
      bucket.numbers[pairs - 1] = none;
      if (pairs < bucket_pairs) return;
      gap = at;
      looked = 0;
      break;
    }
    if (gap != at && pairs < bucket_pairs) return;
  }
}

void HashIndex::put(size_t first, const Segment& segment) {
  std::fill_n(directory_.begin() + static_cast<ptrdiff_t>(first), span_of(segment), segment);
}

void HashIndex::free_buckets(const Segment& segment) {
  delete_buckets(segment.buckets);
  bucket_bytes_ -= segment.size * sizeof(Bucket);
}

void HashIndex::resize(size_t first, uint32_t buckets) {
  const Segment before = directory_[first];
  Segment after = before;
  after.size = static_cast<uint16_t>(buckets);
  after.buckets = new_buckets(buckets);
  bucket_bytes_ += buckets * sizeof(Bucket);
  place_all(after, before);
  put(first, after);
  free_buckets(before);
}

void HashIndex::split(size_t first) {
  if (directory_[first].depth == depth_) {
    double_directory();
    first *= 2;
  }
  const Segment before = directory_[first];
  const uint32_t bit = 1u << (31 - before.depth);
  uint32_t pairs[2] = {0, 0};
  for (uint32_t at = 0; at < before.size; at++) {
    const Bucket& bucket = before.buckets[at];
    for (uint32_t i = 0; i < bucket.count(); i++) pairs[(bucket.hashes[i] & bit) != 0]++;
  }
  assert(pairs[0] + pairs[1] == before.pairs);
  Segment half[2];
  for (int side = 0; side < 2; side++) {
    half[side].pairs = static_cast<uint16_t>(pairs[side]);
    half[side].size = static_cast<uint16_t>(buckets_for(pairs[side]));
    half[side].depth = static_cast<uint16_t>(before.depth + 1);
    half[side].buckets = new_buckets(half[side].size);
    bucket_bytes_ += half[side].size * sizeof(Bucket);
  }
  for (uint32_t at = 0; at < before.size; at++) {
    const Bucket& bucket = before.buckets[at];
    for (uint32_t i = 0; i < bucket_pairs && bucket.numbers[i] != none; i++) {
      place(half[(bucket.hashes[i] & bit) != 0], bucket.hashes[i], bucket.numbers[i]);
    }
  }
  put(first, half[0]);
  put(first + span_of(half[0]), half[1]);
  if (half[0].depth == depth_) deepest_ += 2;
  free_buckets(before);
}

void HashIndex::double_directory() {
  assert(depth_ < depth_max);
  std::vector<Segment> doubled(directory_.size() * 2);
  for (size_t slot = 0; slot < doubled.size(); slot++) doubled[slot] = directory_[slot / 2];
  directory_.swap(doubled);
  depth_++;
  deepest_ = 0;
}

void HashIndex::halve_directory() {
  std::vector<Segment> halved(directory_.size() / 2);
  depth_--;
  deepest_ = 0;
  for (size_t slot = 0; slot < halved.size(); slot++) {
    halved[slot] = directory_[slot * 2];
    if (halved[slot].depth == depth_) deepest_++;
  }
  directory_.swap(halved);
}

void HashIndex::shrink(size_t first) {
  bool merged = false;
  while (merge(first)) merged = true;
  if (merged) {
    while (depth_ > 0 && deepest_ == 0) halve_directory();
    return;
  }
  const Segment& segment = directory_[first];
  const uint32_t buckets = buckets_for(segment.pairs);
  if (buckets < segment.size) resize(first, buckets);
}

/// Joins a segment with the one that it was once split from, if both fit well into one.
bool HashIndex::merge(size_t& first) {
  const Segment one = directory_[first];
  if (one.depth == 0) return false;
  const size_t partner = first ^ span_of(one);
  const Segment other = directory_[partner];
  if (other.depth != one.depth || one.pairs + other.pairs > merged_pairs_max) return false;
  Segment both;
  both.pairs = static_cast<uint16_t>(one.pairs + other.pairs);
  both.size = static_cast<uint16_t>(buckets_for(both.pairs));
  both.depth = static_cast<uint16_t>(one.depth - 1);
  both.buckets = new_buckets(both.size);
  bucket_bytes_ += both.size * sizeof(Bucket);
  if (both.size > 0) {
    place_all(both, one);
    place_all(both, other);
  }
  if (one.depth == depth_) deepest_ -= 2;
  first = std::min(first, partner);
  put(first, both);
  free_buckets(one);
  free_buckets(other);
  return true;
}

}  // namespace peal::core
