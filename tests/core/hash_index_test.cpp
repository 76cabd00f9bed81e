#include "core/hash_index.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "core/hash.hpp"

namespace peal::core {
namespace {

uint64_t seed_of_run() {
  const char* const given = std::getenv("PEAL_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

bool holds(const HashIndex& index, uint32_t hash, uint32_t number) {
  return index.find(hash, [&](uint32_t found) { return found == number; }) == number;
}

TEST_CASE("hash index: is empty at first, and costs next to nothing") {
  HashIndex index;
  CHECK(index.size() == 0);
  CHECK(index.find(7, [](uint32_t) { return true; }) == HashIndex::none);
  CHECK(index.bytes() <= 64);
}

// Goal: it holds what a plain set of pairs holds, through every growth, split, shrink and merge.
// Method: fill and empty it in waves, with hashes of which some are many and some are close.
TEST_CASE("hash index: holds what was put in and not taken out, whatever the hashes") {
  const uint64_t seed = seed_of_run();
  MESSAGE("PEAL_SEED=" << seed);
  std::mt19937_64 random(seed);
  HashIndex index;
  std::set<std::pair<uint32_t, uint32_t>> model;
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  uint32_t next_number = 0;
  const auto any_hash = [&]() -> uint32_t {
    switch (random() % 8) {
      case 0:
        return 0xabcd0000;  // All in one bucket.
      case 1:
        return static_cast<uint32_t>(random()) | 0xfffff000;  // All in one segment.
      case 2:
        return static_cast<uint32_t>(random()) & 0xfffff000;  // All in the first buckets.
      default:
        return static_cast<uint32_t>(random());
    }
  };
  for (int wave = 0; wave < 6; wave++) {
    const bool growing = wave % 2 == 0;
    for (int step = 0; step < 30000; step++) {
      const bool insert = pairs.empty() || random() % 8 < (growing ? 6 : 2);
      if (insert) {
        const std::pair pair{any_hash(), next_number++};
        index.insert(pair.first, pair.second);
        model.insert(pair);
        pairs.push_back(pair);
      } else {
        const size_t at = random() % pairs.size();
        const auto [hash, number] = pairs[at];
        if (random() % 8 == 0) {
          index.replace(hash, number, next_number);
          model.erase({hash, number});
          model.insert({hash, next_number});
          pairs[at] = {hash, next_number++};
        } else {
          index.erase(hash, number);
          model.erase({hash, number});
          pairs[at] = pairs.back();
          pairs.pop_back();
          REQUIRE_FALSE(holds(index, hash, number));
        }
      }
      if (step % 1000 != 0) continue;
      REQUIRE(index.size() == model.size());
      for (const auto& [hash, number] : model) REQUIRE(holds(index, hash, number));
      std::set<std::pair<uint32_t, uint32_t>> all;
      index.each([&](uint32_t hash, uint32_t number) { all.insert({hash, number}); });
      REQUIRE(all == model);
    }
  }
  for (const auto& [hash, number] : pairs) index.erase(hash, number);
  CHECK(index.size() == 0);
  CHECK(index.bytes() <= 64);
}

TEST_CASE("hash index: a pair costs at most twelve bytes at any size, and gives them back") {
  const Hasher hasher(3);
  HashIndex index;
  const auto hash = [&](uint32_t number) { return static_cast<uint32_t>(hasher.pair(number, 0)); };
  constexpr uint32_t pairs = 300000;
  for (uint32_t number = 0; number < pairs; number++) {
    index.insert(hash(number), number);
    if (number > 10000 && number % 1000 == 0) REQUIRE(index.bytes() < number * 12);
  }
  for (uint32_t number = 0; number < pairs; number++) {
    index.erase(hash(number), number);
    const uint32_t left = pairs - number;
    if (left > 10000 && number % 1000 == 0) REQUIRE(index.bytes() < left * 20);
  }
  CHECK(index.bytes() <= 64);
}

TEST_CASE("hash: equal seeds give equal hashes, and every byte and the length count") {
  const Hasher one(1), same(1), other(2);
  std::set<uint64_t> hashes;
  std::string text;
  for (size_t bytes = 0; bytes <= 70; bytes++) {
    CHECK(one(text) == same(text));
    CHECK(one(text) != other(text));
    CHECK(one(text, 1) != one(text, 2));
    CHECK(hashes.insert(one(text)).second);
    for (size_t at = 0; at < bytes; at++) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      CHECK(hashes.insert(one(changed)).second);
    }
    text += '\0';
  }
}

// The bug this keeps out: a table that picks buckets by bits that the hash does not stir.
TEST_CASE("hash: numbered subjects spread evenly over its upper and its lower bits") {
  const Hasher hasher(5);
  constexpr int subjects = 100000, bins = 1024;
  std::vector<int> upper(bins), lower(bins);
  for (int i = 0; i < subjects; i++) {
    const auto hash = static_cast<uint32_t>(hasher("orders.c" + std::to_string(i)));
    upper[hash >> 22]++;
    lower[hash & (bins - 1)]++;
  }
  for (int bin = 0; bin < bins; bin++) {  // About 98 each; six times the deviation is 59.
    CHECK(upper[static_cast<size_t>(bin)] > 38);
    CHECK(upper[static_cast<size_t>(bin)] < 158);
    CHECK(lower[static_cast<size_t>(bin)] > 38);
    CHECK(lower[static_cast<size_t>(bin)] < 158);
  }
}

}  // namespace
}  // namespace peal::core
