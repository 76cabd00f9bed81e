#pragma once
// The words of a control line: what stands between spaces and tabs. It knows blanks and control
// bytes; what a word means is the parser's.

#include <array>
#include <cstddef>
#include <string_view>

namespace peal::protocol {

/// More than any line has; a line with more is broken.
inline constexpr size_t words_max = 5;

/// `clean` is false if there was a control byte, or more words than `words_max`.
struct Words {
  std::array<std::string_view, words_max> at;
  size_t count = 0;
  bool clean = true;
};

/// `line` is without its line end; the bytes up to `readable_end`, which is not before the line's
/// end, may be read and are not looked at.
Words split_words(std::string_view line, const char* readable_end);

}  // namespace peal::protocol
