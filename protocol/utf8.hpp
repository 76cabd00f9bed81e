#pragma once
// Which bytes are characters of UTF-8, and which are none.

#include <cstddef>
#include <string>
#include <string_view>

namespace peal::protocol {

/// How many bytes the character has that the text begins with; 0 if there is none. REQUIRES a text
/// that is not empty.
size_t utf8_character_bytes(std::string_view text);

bool is_utf8(std::string_view text);

/// With whatever is no UTF-8 replaced, for a reader of JSON would refuse the whole.
std::string utf8_text(std::string_view bytes);

}  // namespace peal::protocol
