#include "protocol/scan.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "protocol/words.hpp"
#include "tests/support/guarded_bytes.hpp"

using namespace peal::protocol;

namespace {

uint64_t blanks_one_by_one(const char* bytes) {
  uint64_t mask = 0;
  for (size_t i = 0; i < scan::block_bytes; i++) {
    if (uint8_t(bytes[i]) <= 0x20) mask |= uint64_t{1} << i;
  }
  return mask;
}

}  // namespace

TEST_CASE("scan: every byte in every place is told apart, by each version") {
  for (size_t at = 0; at < scan::block_bytes; at++) {
    for (int byte = 0; byte < 256; byte++) {
      for (const char around : {'a', ' ', '\xff', '\x21', '\0'}) {
        std::string block(scan::block_bytes, around);
        block[at] = char(byte);
        const uint64_t expected = blanks_one_by_one(block.data());
        REQUIRE(scan::blanks(block.data()) == expected);
        REQUIRE(scan::blanks_portable(block.data()) == expected);
      }
    }
  }
}

TEST_CASE("scan: the versions agree on random bytes") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 100'000; round++) {
    char block[scan::block_bytes];
    // Near the border, where an error would be; and anywhere.
    for (char& byte : block) byte = char(round % 2 == 0 ? random() % 0x42 : random());
    const uint64_t expected = blanks_one_by_one(block);
    REQUIRE(scan::blanks(block) == expected);
    REQUIRE(scan::blanks_portable(block) == expected);
  }
}

TEST_CASE("scan: a short rest is read no further than it goes") {
  peal::test::GuardedBytes memory(4096);
  for (size_t readable = 0; readable <= scan::block_bytes + 2; readable++) {
    const auto bytes = memory.place(std::string(readable, ' '));
    for (size_t wanted = 0; wanted <= std::min(readable, scan::block_bytes); wanted++) {
      const uint64_t all = wanted == 64 ? ~uint64_t{0} : (uint64_t{1} << wanted) - 1;
      REQUIRE(scan::blanks_within(bytes.data(), wanted, readable) == all);
    }
  }
}

TEST_CASE("words: are what stands between blanks") {
  const auto split = [](std::string_view line) {
    return split_words(line, line.data() + line.size());
  };
  CHECK(split("").count == 0);
  CHECK(split(" \t ").count == 0);
  const Words words = split("\ta  bc\t\xff ");
  REQUIRE(words.clean);
  REQUIRE(words.count == 3);
  CHECK(words.at[0] == "a");
  CHECK(words.at[1] == "bc");
  CHECK(words.at[2] == "\xff");
  CHECK(split("1 2 3 4 5").clean);
  CHECK_FALSE(split("1 2 3 4 5 6").clean);
  CHECK_FALSE(split("a\rb").clean);
}
