#include "core/block_pool.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "core/word_list.hpp"

namespace peal::core {
namespace {

uint64_t seed_of_run() {
  const char* const given = std::getenv("PEAL_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

struct Held {
  uint32_t block;
  size_t bytes;
  char mark;
};

void fill(const BlockPool& pool, const Held& held) {
  std::memset(pool.at(held.block), held.mark, held.bytes);
}

bool intact(const BlockPool& pool, const Held& held) {
  const char* const at = static_cast<const char*>(pool.at(held.block));
  for (size_t i = 0; i < held.bytes; i++) {
    if (at[i] != held.mark) return false;
  }
  return true;
}

TEST_CASE("block pool: blocks of all sizes keep what is in them while others come and go") {
  const uint64_t seed = seed_of_run();
  MESSAGE("PEAL_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (const BlockPool::Layout layout : {BlockPool::Layout::packed, BlockPool::Layout::apart}) {
    BlockPool pool(layout);
    std::vector<Held> blocks;
    for (int step = 0; step < 20000; step++) {
      if (blocks.empty() || random() % 16 < (step / 2000 % 2 == 0 ? 10u : 6u)) {
        const size_t bytes_max = random() % 8 == 0 ? 20000 : random() % 2 == 0 ? 300 : 48;
        const size_t bytes = random() % bytes_max;
        const Held held{pool.allocate(bytes), bytes, static_cast<char>(random())};
        REQUIRE(pool.block_bytes(held.block) >= bytes);
        REQUIRE(reinterpret_cast<uintptr_t>(pool.at(held.block)) % 4 == 0);
        if (bytes % 8 == 0 && bytes > 0) {
          REQUIRE(reinterpret_cast<uintptr_t>(pool.at(held.block)) % 8 == 0);
        }
        fill(pool, held);
        blocks.push_back(held);
      } else {
        const size_t at = random() % blocks.size();
        REQUIRE(intact(pool, blocks[at]));
        pool.free(blocks[at].block);
        blocks[at] = blocks.back();
        blocks.pop_back();
      }
    }
    CHECK(pool.blocks() == blocks.size());
    for (const Held& held : blocks) {
      REQUIRE(intact(pool, held));
      pool.free(held.block);
    }
    CHECK(pool.blocks() == 0);
    CHECK(pool.bytes() < 256 * 1024);  // The spare chunk, and the table of chunks.
  }
}

TEST_CASE("block pool: small blocks cost their size and little more") {
  BlockPool pool(BlockPool::Layout::packed);
  for (int i = 0; i < 100000; i++) pool.allocate(60);
  CHECK(pool.bytes() < 100000 * 60 * 101 / 100 + 64 * 1024);
}

// Every block apart, so that it takes few bytes to use up the numbers.
TEST_CASE("block pool: says that it is nearly full while there is still room") {
  BlockPool pool(BlockPool::Layout::apart);
  std::vector<uint32_t> blocks;
  while (!pool.nearly_full()) blocks.push_back(pool.allocate(4));
  for (int i = 0; i < 60'000; i++) blocks.push_back(pool.allocate(4));
  CHECK(pool.nearly_full());
  const auto free_down_to = [&](size_t count) {
    for (; blocks.size() > count; blocks.pop_back()) pool.free(blocks.back());
  };
  free_down_to(400'000);
  CHECK_FALSE(pool.nearly_full());
  CHECK_FALSE(pool.has_room());
  free_down_to(390'000);
  CHECK(pool.has_room());
  for (const uint32_t block : blocks) pool.free(block);
}

TEST_CASE("word list: is a list of words at every length, and frees all it had") {
  const uint64_t seed = seed_of_run();
  MESSAGE("PEAL_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (const BlockPool::Layout layout : {BlockPool::Layout::packed, BlockPool::Layout::apart}) {
    BlockPool pool(layout);
    WordList list;
    std::vector<uint32_t> model;
    // Up and down, each time further: past one word, past one block, past one directory's first
    // size.
    for (const size_t length :
         {2u, 1u, 0u, 9u, 1u, 1030u, 1000u, 1025u, 3u, 9000u, 1024u, 5000u, 0u}) {
      while (model.size() != length) {
        if (model.size() < length || random() % 8 == 0) {
          const auto word = static_cast<uint32_t>(random());
          list.push(pool, word);
          model.push_back(word);
        } else {
          const auto at = static_cast<uint32_t>(random() % model.size());
          REQUIRE(list.get(pool, at) == model[at]);
          list.remove(pool, at);
          model[at] = model.back();
          model.pop_back();
        }
        REQUIRE(list.size() == model.size());
      }
      std::vector<uint32_t> all;
      list.each_run(pool, [&](std::span<const uint32_t> run) {
        all.insert(all.end(), run.begin(), run.end());
      });
      REQUIRE(all == model);
    }
    CHECK(pool.blocks() == 0);
  }
}

}  // namespace
}  // namespace peal::core
