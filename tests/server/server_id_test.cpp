#include "server/server_id.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace peal::server {
namespace {

std::vector<uint8_t> decoded(std::string_view text) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char letter : text) {
    const size_t value = letters.find(letter);
    REQUIRE(value != letters.npos);
    bits = bits << 5 | static_cast<uint32_t>(value);
    bit_count += 5;
    if (bit_count >= 8) {
      bit_count -= 8;
      bytes.push_back(static_cast<uint8_t>(bits >> bit_count));
    }
  }
  return bytes;
}

// CRC-16/XMODEM by long division of the bits, with sixteen zeroes behind them.
uint16_t remainder_of(std::span<const uint8_t> bytes) {
  uint32_t rest = 0;
  const auto bring_down = [&](uint32_t bit) {
    rest = rest << 1 | bit;
    if (rest & 0x10000) rest ^= 0x11021;
  };
  for (const uint8_t byte : bytes) {
    for (int bit = 7; bit >= 0; bit--) bring_down(byte >> bit & 1u);
  }
  for (int i = 0; i < 16; i++) bring_down(0);
  return static_cast<uint16_t>(rest);
}

TEST_CASE("server id: the check in this test is the published one") {
  const std::string_view digits = "123456789";
  CHECK(remainder_of({reinterpret_cast<const uint8_t*>(digits.data()), digits.size()}) == 0x31c3);
}

TEST_CASE("server id: is a public nkey of a server, whose check is right") {
  for (int i = 0; i < 100; i++) {
    const std::string id = make_server_id();
    CAPTURE(id);
    REQUIRE(id.size() == 56);
    CHECK(id[0] == 'N');
    const std::vector<uint8_t> bytes = decoded(id);
    REQUIRE(bytes.size() == 35);
    CHECK(bytes[0] == 13 << 3);
    CHECK((bytes[33] | bytes[34] << 8) == remainder_of({bytes.data(), 33}));
  }
}

TEST_CASE("server id: no two are the same") {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; i++) ids.insert(make_server_id());
  CHECK(ids.size() == 1000);
}

}  // namespace
}  // namespace peal::server
