#include "protocol/words.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "protocol/scan.hpp"

namespace peal::protocol {

Words split_words(std::string_view line, const char* readable_end) {
  Words words;
  const char* const end = line.data() + line.size();
  const char* word = line.data();
  const auto word_ends = [&](const char* at) {
    if (at > word) {
      if (words.count == words_max) return false;
      words.at[words.count++] = {word, size_t(at - word)};
    }
    word = at + 1;
    return true;
  };

  for (const char* block = line.data(); block < end; block += scan::block_bytes) {
    const size_t wanted = std::min(size_t(end - block), scan::block_bytes);
    uint64_t blanks = scan::blanks_within(block, wanted, size_t(readable_end - block));
    for (; blanks != 0; blanks &= blanks - 1) {
      const char* const blank = block + std::countr_zero(blanks);
      words.clean = (*blank == ' ' || *blank == '\t') && word_ends(blank);
      if (!words.clean) return words;
    }
  }
  words.clean = word_ends(end);
  return words;
}

}  // namespace peal::protocol
