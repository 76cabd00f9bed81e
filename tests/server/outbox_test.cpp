#include "server/outbox.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/random.hpp"
#include "tests/core/seed.hpp"

namespace peal::server {
namespace {

using core::Purpose;

core::BlockRef made(std::string_view text) {
  core::BlockRef block = core::make_payload_block(text.size());
  if (!block) std::abort();
  text.copy(block->bytes(), text.size());
  return block;
}

std::string text_of(std::span<const iovec> parts) {
  std::string text;
  for (const iovec& part : parts)
    text.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return text;
}

std::string all_of(const Outbox& outbox) {
  std::array<iovec, 64> parts;
  const size_t count = outbox.gather(parts, SIZE_MAX);
  return text_of({parts.data(), count});
}

/// An outbox with its pool, beside the string that it should hold.
class Model {
 public:
  explicit Model(core::Random& random) : random_(random) {}
  ~Model() { outbox_.clear(pool_); }

  void append() {
    const std::string text = some_text(random_.below(16) == 0 ? 100'000 : 700);
    if (random_.below(2) == 0) {
      outbox_.append(pool_, text);
    } else {
      // As the router does: more is asked for than is written.
      char* const at = outbox_.reserve(pool_, text.size() + random_.below(100));
      REQUIRE(outbox_.room() >= text.size());
      text.copy(at, text.size());
      outbox_.commit(text.size());
    }
    waiting_ += text;
  }

  void append_reference() {
    const std::string text = some_text(30'000);
    core::BlockRef block = made(text);
    const size_t begin = random_.below(static_cast<uint32_t>(text.size()));
    const std::string_view part(block->bytes() + begin, text.size() - begin);
    waiting_ += part;
    outbox_.append_reference(pool_, std::move(block), part);
  }

  // What was gathered before and is still waiting has to be found at the same place.
  void gather() {
    const size_t parts_max = 1 + random_.below(8);
    const size_t bytes_max = 1 + random_.below(200'000);
    std::array<iovec, 8> parts;
    const size_t count = outbox_.gather({parts.data(), parts_max}, bytes_max);
    const std::string text = text_of({parts.data(), count});
    REQUIRE(text.size() <= bytes_max);
    REQUIRE(waiting_.starts_with(text));
    REQUIRE(text.empty() == waiting_.empty());
    if (count < parts_max) REQUIRE(text.size() == std::min(bytes_max, waiting_.size()));
    std::vector<const char*> places;
    for (const iovec& part : std::span(parts.data(), count)) {
      REQUIRE(part.iov_len > 0);
      for (size_t i = 0; i < part.iov_len; i++) {
        places.push_back(static_cast<const char*>(part.iov_base) + i);
      }
    }
    for (size_t i = 0; i < std::min(places.size(), in_flight_.size()); i++) {
      if (places[i] != in_flight_[i]) FAIL("a byte in flight has moved");
    }
    if (places.size() > in_flight_.size()) in_flight_ = std::move(places);
  }

  void check_in_flight() const {
    std::string text;
    for (const char* const at : in_flight_) text += *at;
    REQUIRE(waiting_.starts_with(text));
  }

  void advance() {
    size_t bytes = in_flight_.size();
    if (bytes > 0 && random_.below(2) == 0) bytes = random_.below(static_cast<uint32_t>(bytes));
    if (bytes == 0) return;
    outbox_.advance(pool_, bytes);
    waiting_.erase(0, bytes);
    in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<ptrdiff_t>(bytes));
  }

  void check() const {
    REQUIRE(outbox_.pending_bytes() == waiting_.size());
    REQUIRE(outbox_.empty() == waiting_.empty());
  }
  size_t pending_bytes() const { return waiting_.size(); }

 private:
  std::string some_text(uint32_t bytes_max) {
    std::string text(1 + random_.below(bytes_max), '\0');
    uint64_t letters = random_.next();
    for (char& letter : text) letter = static_cast<char>(letters += 0x9e37);
    return text;
  }

  core::Random& random_;
  core::ChunkPool pool_;
  Outbox outbox_;
  std::string waiting_;
  std::vector<const char*> in_flight_;
};

TEST_CASE("outbox: is a string that is taken from the front, and what is in flight never moves") {
  core::Random random(test::seed_of_run());
  const int64_t chunks_before = core::ledger().bytes(Purpose::chunks);
  const int64_t payload_before = core::ledger().bytes(Purpose::payload);
  {
    Model model(random);
    for (int step = 0; step < 3000; step++) {
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
          if (model.pending_bytes() < 400'000) model.append();
          break;
        case 3:
          if (model.pending_bytes() < 400'000) model.append_reference();
          break;
        case 4:
        case 5:
          model.gather();
          break;
        default:
          model.check_in_flight();
          model.advance();
          if (model.pending_bytes() == 0) {
            REQUIRE(core::ledger().bytes(Purpose::chunks) == chunks_before);
            REQUIRE(core::ledger().bytes(Purpose::payload) == payload_before);
          }
      }
      model.check();
    }
  }
  CHECK(core::ledger().bytes(Purpose::chunks) == chunks_before);
  CHECK(core::ledger().bytes(Purpose::payload) == payload_before);
}

TEST_CASE("outbox: an empty one holds no memory, and neither does one that was sent or cleared") {
  const int64_t before = core::ledger().total();
  core::ChunkPool pool;
  Outbox outbox;
  CHECK(core::ledger().total() == before);
  outbox.append(pool, "hello");
  CHECK(core::ledger().total() > before);
  outbox.advance(pool, 2);
  CHECK(all_of(outbox) == "llo");
  outbox.advance(pool, 3);
  CHECK(core::ledger().total() == before);

  outbox.append(pool, "hello");
  outbox.append_reference(pool, made("block"), "");
  outbox.clear(pool);
  CHECK(outbox.empty());
  CHECK(core::ledger().total() == before);
}

TEST_CASE("outbox: a referenced block is sent from where it lies, and held until it was sent") {
  core::ChunkPool pool;
  Outbox outbox;
  core::BlockRef block = made("0123456789");
  outbox.append(pool, "head ");
  outbox.append_reference(pool, block, {block->bytes() + 2, 5});
  outbox.append(pool, " tail");
  CHECK(block.shared());
  std::array<iovec, 4> parts;
  REQUIRE(outbox.gather(parts, SIZE_MAX) == 3);
  CHECK(parts[1].iov_base == block->bytes() + 2);
  CHECK(text_of({parts.data(), 3}) == "head 23456 tail");
  outbox.advance(pool, 5 + 4);
  CHECK(block.shared());
  CHECK(all_of(outbox) == "6 tail");
  outbox.advance(pool, 1);
  CHECK(!block.shared());
  CHECK(all_of(outbox) == " tail");
  outbox.clear(pool);
}

TEST_CASE("outbox: no more is gathered than was asked for, in bytes and in pieces") {
  core::ChunkPool pool;
  Outbox outbox;
  const core::BlockRef block = made("0123456789");
  for (int i = 0; i < 4; i++) outbox.append_reference(pool, block, {block->bytes(), 10});
  std::array<iovec, 8> parts;
  CHECK(outbox.gather(std::span(parts).first(3), SIZE_MAX) == 3);
  REQUIRE(outbox.gather(parts, 25) == 3);
  CHECK(parts[2].iov_len == 5);
  CHECK(outbox.gather(parts, 20) == 2);
  CHECK(outbox.gather(parts, 0) == 0);
  outbox.clear(pool);
  CHECK(outbox.gather(parts, SIZE_MAX) == 0);
}

TEST_CASE("outbox: much that waits lies in few pieces") {
  core::ChunkPool pool;
  Outbox outbox;
  for (int i = 0; i < 10'000; i++) outbox.append(pool, std::string(100, 'x'));
  std::array<iovec, 64> parts;
  const size_t count = outbox.gather(parts, SIZE_MAX);
  CHECK(count < 24);
  CHECK(text_of({parts.data(), count}).size() == 1'000'000);
  outbox.clear(pool);
}

}  // namespace
}  // namespace peal::server
