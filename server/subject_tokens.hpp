#pragma once
// A subject cut at its dots, for one walk through the trie. The memory is kept from subject to
// subject. Hashes are made when they are asked for: most walks end before the subject does.

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/hash.hpp"
#include "protocol/scan.hpp"

namespace peal::server {

using protocol::scan::dots;

/// Whether there is a dot anywhere. For short texts.
inline bool has_dot(std::string_view text) {
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    if (dots(text.data() + at) != 0) return true;
  }
  for (; at < text.size(); at++) {
    if (text[at] == '.') return true;
  }
  return false;
}

class SubjectTokens {
 public:
  explicit SubjectTokens(const core::Hasher& hasher) : hasher_(hasher) {}

  /// Views the subject. False when a token is empty; there are no tokens then.
  bool read(std::string_view subject);

  uint32_t size() const { return static_cast<uint32_t>(tokens_.size()); }

  std::string_view text(uint32_t at) const {
    const Token& token = tokens_[at];
    return subject_.substr(token.at, token.bytes);
  }

  uint32_t hash(uint32_t at) {
    uint32_t& hash = tokens_[at].hash;
    if (hash == 0) hash = hash_of(hasher_, text(at));  // One that is zero is made again, and right.
    return hash;
  }

  static uint32_t hash_of(const core::Hasher& hasher, std::string_view token) {
    return static_cast<uint32_t>(hasher(token));
  }

  size_t bytes() const { return tokens_.capacity() * sizeof(Token); }
  void release() { std::vector<Token>().swap(tokens_); }

 private:
  struct Token {
    uint32_t at, bytes, hash;
  };

  const core::Hasher& hasher_;
  std::string_view subject_;
  std::vector<Token> tokens_;
};

}  // namespace peal::server
