#include "server/server_id.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <span>

namespace peal::server {
namespace {

constexpr size_t key_bytes = 32;
constexpr uint8_t server_prefix = 13 << 3;  // Becomes the letter N.

uint16_t crc16_xmodem(std::span<const uint8_t> bytes) {
  uint16_t crc = 0;
  for (const uint8_t byte : bytes) {
    crc = static_cast<uint16_t>(crc ^ byte << 8);
    for (int bit = 0; bit < 8; bit++) {
      crc = static_cast<uint16_t>(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
  }
  return crc;
}

std::string base32(std::span<const uint8_t> bytes) {
  static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (bit_count += 8; bit_count >= 5; bit_count -= 5) {
      text += letters[bits >> (bit_count - 5) & 31];
    }
  }
  return text;
}

}  // namespace

std::string make_server_id() {
  std::array<uint8_t, 1 + key_bytes + 2> bytes{};
  bytes[0] = server_prefix;
  for (size_t have = 0; have < key_bytes;) {
    const ssize_t got = getrandom(bytes.data() + 1 + have, key_bytes - have, 0);
    if (got > 0) have += static_cast<size_t>(got);
  }
  const uint16_t crc = crc16_xmodem({bytes.data(), 1 + key_bytes});
  bytes[1 + key_bytes] = static_cast<uint8_t>(crc);
  bytes[2 + key_bytes] = static_cast<uint8_t>(crc >> 8);
  return base32(bytes);
}

}  // namespace peal::server
