#include "core/frame.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

namespace peal::core {
namespace {

int64_t payload_bytes() { return ledger().bytes(Purpose::payload); }
BlockRef made(size_t bytes) {
  BlockRef block = make_payload_block(bytes);
  if (!block) std::abort();
  return block;
}
uint32_t holders(const BlockRef& block) { return block->holders.load(); }

TEST_CASE("frame: every copy is a holder, and a move is none") {
  BlockRef first = made(100);
  CHECK(holders(first) == 1);
  CHECK(!first.shared());
  {
    const BlockRef second = first;
    CHECK(second.get() == first.get());
    CHECK(holders(first) == 2);
    CHECK(first.shared());
    BlockRef third = second;
    CHECK(holders(first) == 3);
    const BlockRef moved = std::move(third);
    CHECK(holders(first) == 3);
  }
  CHECK(holders(first) == 1);
  CHECK(!first.shared());
}

TEST_CASE("frame: whoever lets go last frees it, and the ledger knows") {
  const int64_t before = payload_bytes();
  BlockRef first = made(1000);
  CHECK(first->capacity == 1000);
  CHECK(payload_bytes() == before + 1000);
  BlockRef second = first;
  first = {};
  CHECK(!first);
  CHECK(payload_bytes() == before + 1000);
  std::memset(second->bytes(), 'x', 1000);
  second = {};
  CHECK(payload_bytes() == before);
}

TEST_CASE("frame: assignment lets go of what was held") {
  const int64_t before = payload_bytes();
  BlockRef one = made(10);
  BlockRef other = made(20);
  one = other;
  CHECK(payload_bytes() == before + 20);
  CHECK(holders(one) == 2);
  const BlockRef& same = one;
  one = same;
  CHECK(holders(one) == 2);
  one = std::move(other);
  CHECK(holders(one) == 1);
  one = {};
  CHECK(payload_bytes() == before);
}

TEST_CASE("frame: a count that was given away is taken over by another holder") {
  const int64_t before = payload_bytes();
  BlockRef sender = made(10);
  Block* const travelling = sender.leave();
  CHECK(!sender);
  CHECK(sender.get() == nullptr);
  {
    const BlockRef receiver(travelling);
    CHECK(holders(receiver) == 1);
  }
  CHECK(payload_bytes() == before);
}

TEST_CASE("frame: no block holds nothing") {
  const int64_t before = payload_bytes();
  {
    BlockRef none;
    const BlockRef copy = none;
    CHECK(!copy);
    CHECK(none.leave() == nullptr);
    none = copy;
  }
  CHECK(payload_bytes() == before);
}

TEST_CASE("frame: a block may be freed by another thread, whose ledger makes up for it") {
  const int64_t before = payload_bytes();
  BlockRef here = made(500);
  std::memcpy(here->bytes(), "hello", 5);
  int64_t there = 0;
  std::thread other([&there, block = here]() mutable {
    CHECK(std::string_view(block->bytes(), 5) == "hello");
    block = {};
    there = payload_bytes();
  });
  here = {};
  other.join();
  CHECK(payload_bytes() + there == before);
}

}  // namespace
}  // namespace peal::core
