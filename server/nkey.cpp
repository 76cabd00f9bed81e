#include "server/nkey.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace peal::server {
namespace {

constexpr size_t checksum_bytes = 2;
constexpr size_t checked_bytes = 1 + sizeof(PublicKey);
constexpr size_t decoded_bytes = checked_bytes + checksum_bytes;
constexpr size_t text_bytes = decoded_bytes * 8 / 5;
constexpr size_t signature_bytes = 64;
constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

using Decoded = std::array<uint8_t, decoded_bytes>;

std::optional<Decoded> decode_base32(std::string_view text) {
  if (text.size() != text_bytes) return {};
  Decoded decoded;
  uint32_t bits = 0;
  unsigned bit_count = 0;
  size_t at = 0;
  for (const char letter : text) {
    const size_t digit = digits.find(letter);
    if (digit == digits.npos) return {};
    bits = bits << 5 | static_cast<uint32_t>(digit);
    bit_count += 5;
    if (bit_count < 8) continue;
    bit_count -= 8;
    decoded[at++] = static_cast<uint8_t>(bits >> bit_count);
  }
  return decoded;
}

std::string encode_base32(const Decoded& decoded) {
  std::string text;
  uint32_t bits = 0;
  unsigned bit_count = 0;
  for (const uint8_t byte : decoded) {
    bits = bits << 8 | byte;
    for (bit_count += 8; bit_count >= 5; bit_count -= 5) {
      text += digits[bits >> (bit_count - 5) & 31];
    }
  }
  return text;
}

/// Of the prefix and the key.
uint16_t checksum_of(const Decoded& decoded) {
  uint16_t crc = 0;
  for (size_t i = 0; i < checked_bytes; i++) {
    crc = static_cast<uint16_t>(crc ^ decoded[i] << 8);
    for (int bit = 0; bit < 8; bit++) {
      crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
    }
  }
  return crc;
}

}  // namespace

std::string encode_nkey(NkeyKind kind, const PublicKey& key) {
  Decoded decoded;
  decoded.front() = static_cast<uint8_t>(kind);
  std::ranges::copy(key, decoded.begin() + 1);
  const uint16_t checksum = checksum_of(decoded);
  decoded[checked_bytes] = static_cast<uint8_t>(checksum);
  decoded[checked_bytes + 1] = static_cast<uint8_t>(checksum >> 8);
  return encode_base32(decoded);
}

std::optional<PublicKey> decode_user_nkey(std::string_view text) {
  const auto decoded = decode_base32(text);
  if (!decoded || decoded->front() != static_cast<uint8_t>(NkeyKind::user)) return {};
  const auto given =
      static_cast<uint16_t>((*decoded)[checked_bytes] | (*decoded)[checked_bytes + 1] << 8);
  if (given != checksum_of(*decoded)) return {};
  PublicKey key;
  std::copy_n(decoded->begin() + 1, key.size(), key.begin());
  return key;
}

bool verify_signature(const PublicKey& key, std::string_view message, std::string_view signature) {
  if (signature.size() != signature_bytes) return false;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> public_key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()),
      EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  if (!public_key || !context) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, public_key.get()) != 1) {
    return false;
  }
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(message.data()),
                          message.size()) == 1;
}

}  // namespace peal::server
