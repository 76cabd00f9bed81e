// What clients send to show who they are: nkeys, signatures and base64. A key that is taken is the
// one text of its bytes, so that one key has not two names. JWTs are not supported, so nothing
// decodes them.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/nkey.hpp"
#include "server/secret.hpp"
#include "tests/fuzz/reader.hpp"

namespace {

namespace server = peal::server;

void expect(bool claim) {
  if (!claim) std::abort();
}

std::string base32(std::string_view bytes) {
  static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char letter : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(letter);
    for (count += 8; count >= 5; count -= 5) text += letters[bits >> (count - 5) & 31];
  }
  return text;
}

// The text of a key with these 32 bytes.
std::string nkey_of(std::string_view key) {
  std::string bytes = "\xa0" + std::string(key);
  bytes.resize(33);
  uint16_t crc = 0;
  for (const char letter : bytes) {
    crc = static_cast<uint16_t>(crc ^ static_cast<uint8_t>(letter) << 8);
    for (int i = 0; i < 8; i++) {
      crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
    }
  }
  bytes += static_cast<char>(crc & 0xff);
  bytes += static_cast<char>(crc >> 8);
  return base32(bytes);
}

std::string_view view_of(const server::PublicKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

void check_base64(std::string_view text) {
  const auto decoded = server::decode_base64(text);
  if (!decoded) return;
  while (text.ends_with('=')) text.remove_suffix(1);
  expect(text.size() % 4 != 1 && decoded->size() == text.size() * 3 / 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  peal::fuzz::Reader input(data, size);
  const std::string_view text = input.text_until('\n'), other = input.text_until('\n');
  if (const auto key = server::decode_user_nkey(text)) expect(nkey_of(view_of(*key)) == text);
  const auto key = server::decode_user_nkey(nkey_of(text));
  expect(key.has_value());
  expect(view_of(*key).substr(0, text.size()) == text.substr(0, 32));
  server::verify_signature(*key, text, other);
  check_base64(text);
  expect(server::same_secret(text, other) == (text == other));
  const bool hashed = server::is_password_hash(text);
  expect(!hashed || text.starts_with("$2"));
  return 0;
}
