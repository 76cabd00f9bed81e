#include "server/subject_tokens.hpp"

#include <bit>

namespace peal::server {

bool SubjectTokens::read(std::string_view subject) {
  subject_ = subject;
  tokens_.clear();
  uint32_t begin = 0;
  const auto end_token = [&](uint32_t end) {
    if (end == begin) return false;
    tokens_.push_back({begin, end - begin, 0});
    begin = end + 1;
    return true;
  };
  const auto size = static_cast<uint32_t>(subject.size());
  uint32_t at = 0;
  for (; at + 8 <= size; at += 8) {
    for (uint64_t found = dots(subject.data() + at); found != 0; found &= found - 1) {
      const auto in_word = static_cast<uint32_t>(std::countr_zero(found)) / 8;
      if (!end_token(at + in_word)) return tokens_.clear(), false;
    }
  }
  for (; at < size; at++) {
    if (subject[at] == '.' && !end_token(at)) return tokens_.clear(), false;
  }
  if (!end_token(size)) return tokens_.clear(), false;
  return true;
}

}  // namespace peal::server
