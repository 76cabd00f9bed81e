#include "protocol/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

namespace peal::protocol {
namespace {

TEST_CASE("utf8: the first and the last character of each length") {
  using namespace std::string_view_literals;
  CHECK(utf8_character_bytes("\0"sv) == 1);
  CHECK(utf8_character_bytes("\x7f more") == 1);
  for (const std::string_view two : {"\xc2\x80"sv, "\xdf\xbf"sv}) {
    CHECK(utf8_character_bytes(two) == 2);
  }
  for (const std::string_view three :
       {"\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv, "\xef\xbf\xbf"sv}) {
    CHECK(utf8_character_bytes(three) == 3);
  }
  for (const std::string_view four : {"\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    CHECK(utf8_character_bytes(four) == 4);
  }
}

TEST_CASE("utf8: what is cut short, longer than need be, or beyond the last is no character") {
  for (const std::string none :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\xc2", "\xe0\x9f\xbf", "\xe2\x82",
        "\xe2\x82\xc0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
        "\xf0\x90\x80\xc0", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    CAPTURE(none);
    CHECK(utf8_character_bytes(none) == 0);
    CHECK_FALSE(is_utf8("a" + none));
    CHECK_FALSE(is_utf8(none + "a"));
  }
  CHECK(is_utf8(""));
  CHECK(is_utf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
}

TEST_CASE("utf8: what is no UTF-8 is replaced, and nothing else") {
  CHECK(utf8_text("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x94") ==
        "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x94");
  const std::string mark = "\xef\xbf\xbd";
  CHECK(utf8_text("\xff") == mark);
  CHECK(utf8_text("a\xc3") == "a" + mark);
  CHECK(utf8_text("\xc0\xaf") == mark + mark);             // Longer than need be.
  CHECK(utf8_text("\xed\xa0\x80") == mark + mark + mark);  // Half a surrogate pair.
  CHECK(utf8_text("\xf4\x90\x80\x80") == mark + mark + mark + mark);
}

}  // namespace
}  // namespace peal::protocol
