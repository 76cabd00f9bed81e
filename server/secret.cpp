#include "server/secret.hpp"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <memory>

#include "core/memory.hpp"

namespace peal::server {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest_of(std::string_view text) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

// It is 32 KiB, so it does not lie on the stack; and it has seen the password.
struct CryptScratch {
  CryptScratch() : data(std::make_unique<crypt_data>()) {}
  ~CryptScratch() { OPENSSL_cleanse(data.get(), sizeof(crypt_data)); }
  std::unique_ptr<crypt_data> data;
};

}  // namespace

// Of digests, because they have one length.
bool same_secret(std::string_view one, std::string_view other) {
  const Digest left = digest_of(one), right = digest_of(other);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void forget_secret(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

bool is_password_hash(std::string_view text) {
  const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  return text.size() >= std::string_view("$2a$00$").size() && text.starts_with("$2") &&
         std::string_view("abxy").find(text[2]) != std::string_view::npos && text[3] == '$' &&
         is_digit(text[4]) && is_digit(text[5]) && text[6] == '$';
}

bool password_matches_hash(const std::string& password, const std::string& hash) {
  if (password.find('\0') != std::string::npos) return false;  // The hash would end there.
  const std::string whole = hash.substr(0, password_hash_bytes);
  CryptScratch scratch;
  const char* const hashed = crypt_r(password.c_str(), whole.c_str(), scratch.data.get());
  return hashed != nullptr && hashed[0] != '*' && same_secret(hashed, whole);
}

std::optional<std::string> hash_password(const std::string& password, unsigned cost) {
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting;
  if (crypt_gensalt_rn("$2a$", cost, nullptr, 0, setting.data(), setting.size()) == nullptr) {
    return {};
  }
  CryptScratch scratch;
  const char* const hashed = crypt_r(password.c_str(), setting.data(), scratch.data.get());
  if (hashed == nullptr || hashed[0] == '*') return {};
  return hashed;
}

std::optional<std::string> decode_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string padded(text);
  for (char& letter : padded) {
    if (letter == '-') letter = '+';
    if (letter == '_') letter = '/';
  }
  if (padded.size() % 4 == 1 ||
      padded.find_first_not_of(
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") !=
          std::string::npos) {
    return {};
  }
  const size_t padding = (4 - padded.size() % 4) % 4;
  padded.append(padding, '=');
  std::string bytes(padded.size() / 4 * 3, '\0');
  if (bytes.empty()) return bytes;
  const int decoded = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                      reinterpret_cast<const unsigned char*>(padded.data()),
                                      static_cast<int>(padded.size()));
  if (decoded < 0) return {};
  bytes.resize(static_cast<size_t>(decoded) - padding);
  return bytes;
}

std::string random_base64(size_t bytes) {
  std::string chance(bytes, '\0');
  // Asked for the first time without memory, OpenSSL 3 uses what it could not make, and crashes. A
  // start draws its nonces before it does anything else with it, so here is where that shows.
  if (OSSL_LIB_CTX_get0_global_default() == nullptr) core::end_out_of_memory();
  const int drawn =
      RAND_bytes(reinterpret_cast<unsigned char*>(chance.data()), static_cast<int>(bytes));
  // Without chance a nonce is no nonce. The system has always some to give; what the library lacks
  // is memory.
  if (drawn != 1) core::end_out_of_memory();
  std::string text((bytes + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(chance.data()),
                                     static_cast<int>(bytes));
  text.resize(static_cast<size_t>(length));
  while (text.ends_with('=')) text.pop_back();
  for (char& letter : text) {
    if (letter == '+') letter = '-';
    if (letter == '/') letter = '_';
  }
  return text;
}

}  // namespace peal::server
