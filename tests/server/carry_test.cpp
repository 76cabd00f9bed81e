#include "server/carry.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/ledger.hpp"
#include "core/random.hpp"
#include "tests/core/seed.hpp"

namespace peal::server {
namespace {

using core::Purpose;

int64_t held_bytes() {
  return core::ledger().bytes(Purpose::chunks) + core::ledger().bytes(Purpose::payload);
}

TEST_CASE("carry: is a string that grows behind and is consumed in front") {
  core::Random random(test::seed_of_run());
  const int64_t before = held_bytes();
  core::ChunkPool pool;
  for (int round = 0; round < 200; round++) {
    Carry carry;
    std::string model;
    uint64_t letters = random.next();
    for (int step = 0; step < 40; step++) {
      if (random.below(3) > 0) {
        std::string more(1 + random.below(random.below(6) == 0 ? 70'000 : 3000), '\0');
        for (char& letter : more) letter = static_cast<char>(letters += 0x9e37);
        const size_t needed = random.below(2) == 0 ? model.size() + more.size()
                                                   : random.below(random.below(2) ? 200'000 : 9000);
        REQUIRE(carry.append(pool, more, needed));
        model += more;
      } else if (!model.empty()) {
        const size_t bytes =
            random.below(4) == 0 ? model.size() : random.below(static_cast<uint32_t>(model.size()));
        carry.consume(pool, bytes);
        model.erase(0, bytes);
      }
      REQUIRE(carry.bytes() == model);
      REQUIRE(carry.size() == model.size());
      REQUIRE(carry.empty() == model.empty());
      if (model.empty()) REQUIRE(held_bytes() == before);
    }
    carry.clear(pool);
    REQUIRE(carry.empty());
    REQUIRE(held_bytes() == before);
  }
}

TEST_CASE("carry: a short command lies in a chunk, a long one in a block") {
  core::ChunkPool pool;
  Carry carry;
  REQUIRE(carry.append(pool, "PUB a 16000\r\n", Carry::block_bytes_min - 1));
  CHECK(!carry.block());
  CHECK(carry.bytes() == "PUB a 16000\r\n");
  carry.clear(pool);
  REQUIRE(carry.append(pool, "PUB a 17000\r\n", Carry::block_bytes_min));
  REQUIRE(carry.block());
  CHECK(carry.bytes().data() == carry.block()->bytes());
  carry.clear(pool);
  CHECK(!carry.block());
}

TEST_CASE("carry: a line that turns out to be long moves from its chunk to a block") {
  core::ChunkPool pool;
  Carry carry;
  REQUIRE(carry.append(pool, "PUB a 10", 9));
  CHECK(!carry.block());
  REQUIRE(carry.append(pool, "0000\r\n" + std::string(600, 'x'), 100'016));
  CHECK(carry.block());
  CHECK(carry.bytes() == "PUB a 100000\r\n" + std::string(600, 'x'));
  CHECK(core::ledger().bytes(Purpose::chunks) == 0);
  carry.clear(pool);
}

// Goal: to announce a large message costs the client what it sends, not the server. Method: many
// sizes of message in reads of many sizes, with a look at the ledger after each.
TEST_CASE("carry: takes no more memory than eight times what has come, and a block's least") {
  const int64_t before = held_bytes();
  core::ChunkPool pool;
  for (const size_t message_bytes : {500u, 5000u, 16'384u, 20'000u, 100'000u, 1'048'576u}) {
    for (const size_t read_bytes : {1u, 100u, 4096u, 32'768u}) {
      if (message_bytes / read_bytes > 20'000) continue;
      CAPTURE(message_bytes);
      CAPTURE(read_bytes);
      Carry carry;
      int growths = 0;
      int64_t last = 0;
      for (size_t have = 0; have < message_bytes;) {
        const size_t now = std::min(read_bytes, message_bytes - have);
        REQUIRE(carry.append(pool, std::string(now, 'x'), message_bytes));
        have += now;
        const int64_t held = held_bytes() - before;
        if (held > static_cast<int64_t>(8 * have + Carry::block_bytes_min + sizeof(core::Chunk))) {
          FAIL("too much is held");
        }
        if (held != last) growths++;
        last = held;
      }
      CHECK(carry.size() == message_bytes);
      // Never more than the message in the end, but for a chunk's class.
      if (carry.block()) CHECK(carry.block()->capacity == std::max(message_bytes, carry.size()));
      CHECK(growths <= 4);  // Each is a copy.
      carry.clear(pool);
    }
  }
}

TEST_CASE("carry: what others hold of a block is neither written to nor taken away") {
  core::ChunkPool pool;
  Carry carry;
  REQUIRE(carry.append(pool, "first", 20'000));
  const core::BlockRef held = carry.block();
  const std::string_view seen = carry.bytes();
  REQUIRE(carry.append(pool, " second", 20'000));
  CHECK(carry.block().get() != held.get());
  CHECK(carry.bytes() == "first second");
  CHECK(seen == "first");
  CHECK(!held.shared());
  carry.clear(pool);
  CHECK(seen == "first");
}

TEST_CASE("carry: grows in place while there is room and nobody looks") {
  core::ChunkPool pool;
  Carry carry;
  REQUIRE(carry.append(pool, "first", 20'000));
  const core::Block* const block = carry.block().get();
  REQUIRE(carry.append(pool, std::string(10'000, 'x'), 20'000));
  CHECK(carry.block().get() == block);
  carry.clear(pool);
}

}  // namespace
}  // namespace peal::server
