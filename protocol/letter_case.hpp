#pragma once
// Capital and small letters of ASCII. Other bytes are what they are, whatever the locale.

#include <algorithm>
#include <string>
#include <string_view>

namespace peal::protocol {

// Only letters are folded: with 0x20 set, a VT would be a plus.
constexpr char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? char(letter | 0x20) : letter;
}

inline std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

}  // namespace peal::protocol
