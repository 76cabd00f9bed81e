#pragma once
// Comparing of short texts in place, as subjects are: a call of memcmp costs more than the few
// words that most of them have. Reads no byte outside of what is compared.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace peal::core {

namespace detail {
template <typename Word>
inline Word word_at(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Whether `bytes` are the same by words, the last of which may overlap. REQUIRES one word or more.
template <typename Word>
inline bool same_by_words(const char* one, const char* other, size_t bytes) {
  const size_t last = bytes - sizeof(Word);
  Word differ = word_at<Word>(one + last) ^ word_at<Word>(other + last);
  for (size_t at = 0; at < last; at += sizeof(Word)) {
    differ |= word_at<Word>(one + at) ^ word_at<Word>(other + at);
  }
  return differ == 0;
}
}  // namespace detail

/// As one == other, for what is likely to be short.
inline bool same_bytes(std::string_view one, std::string_view other) {
  constexpr size_t long_bytes = 64;
  const size_t bytes = one.size();
  if (bytes != other.size()) return false;
  if (bytes > long_bytes) return std::memcmp(one.data(), other.data(), bytes) == 0;
  if (bytes >= 8) return detail::same_by_words<uint64_t>(one.data(), other.data(), bytes);
  if (bytes >= 4) return detail::same_by_words<uint32_t>(one.data(), other.data(), bytes);
  for (size_t at = 0; at < bytes; at++) {
    if (one[at] != other[at]) return false;
  }
  return true;
}

}  // namespace peal::core
