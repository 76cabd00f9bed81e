// With the allocator's own calls counted, which the linker brings here (see meson.build).
#include "core/chunk_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/ledger.hpp"
#include "core/random.hpp"
#include "tests/core/seed.hpp"

static std::atomic<size_t> mallocs = 0;
static std::atomic<size_t> frees = 0;

extern "C" {
void* __real_malloc(size_t bytes);
void __real_free(void* memory);
void* __wrap_malloc(size_t bytes) {
  mallocs++;
  return __real_malloc(bytes);
}
void __wrap_free(void* memory) {
  frees++;
  __real_free(memory);
}
}

namespace peal::core {
namespace {

int64_t chunk_bytes() { return ledger().bytes(Purpose::chunks); }

TEST_CASE("chunk pool: a chunk is of its class, and larger when more is asked for") {
  const int64_t before = chunk_bytes();
  ChunkPool pool;
  for (uint8_t size_class = 0; size_class < ChunkPool::size_classes; size_class++) {
    Chunk* const exact = pool.take(size_class, ChunkPool::capacity_of(size_class));
    CHECK(exact->capacity + sizeof(Chunk) == ChunkPool::class_bytes[size_class]);
    CHECK(exact->size_class == size_class);
    Chunk* const more = pool.take(size_class, ChunkPool::capacity_of(size_class) + 1);
    CHECK(more->capacity > ChunkPool::capacity_of(size_class));
    pool.give_back(exact);
    pool.give_back(more);
  }
  Chunk* const small = pool.take(0, ChunkPool::capacity_of(2));
  CHECK(small->size_class == 2);
  pool.give_back(small);
  CHECK(chunk_bytes() == before);
}

TEST_CASE("chunk pool: what is larger than every class is as large as asked, and not kept") {
  const int64_t before = chunk_bytes();
  ChunkPool pool;
  const size_t bytes = ChunkPool::capacity_of(ChunkPool::size_classes - 1) + 1;
  Chunk* const chunk = pool.take(0, bytes);
  CHECK(chunk->capacity == bytes);
  std::memset(chunk->bytes(), 'x', bytes);
  CHECK(chunk_bytes() == before + static_cast<int64_t>(sizeof(Chunk) + bytes));
  const size_t freed = frees;
  pool.give_back(chunk);
  CHECK(frees == freed + 1);
  CHECK(chunk_bytes() == before);
}

TEST_CASE("chunk pool: the chunk given back last is taken first, and is as new") {
  ChunkPool pool;
  Chunk* const first = pool.take(1, 1);
  Chunk* const second = pool.take(1, 1);
  for (Chunk* chunk : {first, second}) {
    chunk->written = 100;
    chunk->sent = 50;
    chunk->is_reference = true;
    pool.give_back(chunk);
  }
  const size_t allocated = mallocs;
  CHECK(pool.take(1, 1) == second);
  CHECK(pool.take(1, 1) == first);
  CHECK(mallocs == allocated);
  for (Chunk* chunk : {first, second}) {
    CHECK(chunk->next == nullptr);
    CHECK(chunk->written == 0);
    CHECK(chunk->sent == 0);
    CHECK(!chunk->is_reference);
    pool.give_back(chunk);
  }
}

TEST_CASE("chunk pool: keeps idle what its bound allows, and frees all of it at its end") {
  const int64_t before = chunk_bytes();
  constexpr uint8_t largest = ChunkPool::size_classes - 1;
  constexpr size_t kept = ChunkPool::idle_bytes_max / ChunkPool::class_bytes[largest];
  const size_t allocated = mallocs;
  const size_t freed = frees;
  {
    ChunkPool pool;
    std::vector<Chunk*> chunks(2 * kept);
    for (int round = 0; round < 2; round++) {
      const size_t freed_before = frees;
      for (Chunk*& chunk : chunks) chunk = pool.take(largest, 1);
      for (Chunk* const chunk : chunks) pool.give_back(chunk);
      CHECK(frees == freed_before + chunks.size() - kept);
    }
    // The bound is over all classes: nothing of another one is kept now.
    const size_t freed_before = frees;
    pool.give_back(pool.take(0, 1));
    CHECK(frees == freed_before + 1);
    CHECK(chunk_bytes() == before);
  }
  CHECK(mallocs - allocated == frees - freed);
}

TEST_CASE(
    "chunk pool: chunks in use never share a byte, and the ledger comes back to where it was") {
  Random random(test::seed_of_run());
  const int64_t before = chunk_bytes();
  {
    ChunkPool pool;
    struct Held {
      Chunk* chunk;
      char mark;
    };
    std::vector<Held> held;
    int64_t expected = before;
    const auto give_back = [&](size_t at) {
      const Held& each = held[at];
      const std::string_view bytes(each.chunk->bytes(), each.chunk->capacity);
      REQUIRE(bytes.find_first_not_of(each.mark) == bytes.npos);
      expected -= static_cast<int64_t>(sizeof(Chunk) + each.chunk->capacity);
      pool.give_back(each.chunk);
      held[at] = held.back();
      held.pop_back();
      REQUIRE(chunk_bytes() == expected);
    };
    for (int step = 0; step < 3000; step++) {
      if (held.size() < 40 && random.below(2) == 0) {
        const size_t bytes = random.below(random.below(8) == 0 ? 100'000 : 3000);
        Chunk* const chunk =
            pool.take(static_cast<uint8_t>(random.below(ChunkPool::size_classes)), bytes);
        REQUIRE(chunk->capacity >= bytes);
        expected += static_cast<int64_t>(sizeof(Chunk) + chunk->capacity);
        REQUIRE(chunk_bytes() == expected);
        const char mark = static_cast<char>(step);
        std::memset(chunk->bytes(), mark, chunk->capacity);
        held.push_back({chunk, mark});
      } else if (!held.empty()) {
        give_back(random.below(static_cast<uint32_t>(held.size())));
      }
    }
    while (!held.empty()) give_back(0);
  }
  CHECK(chunk_bytes() == before);
}

}  // namespace
}  // namespace peal::core
