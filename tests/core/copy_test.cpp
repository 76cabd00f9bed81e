#include "core/copy.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/guarded_bytes.hpp"

namespace peal::core {
namespace {

constexpr size_t bytes_max = 600;

std::string numbered(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; i++) text[i] = static_cast<char>(i * 31 + i / 256 + 1);
  return text;
}

TEST_CASE("copy: is memcpy for every length, and touches no byte outside") {
  constexpr size_t margin = 64;
  for (size_t bytes = 0; bytes <= bytes_max; bytes++) {
    CAPTURE(bytes);
    const std::string from = numbered(bytes);
    std::string out(margin + bytes + margin, '#');
    char* const end = copy_short(out.data() + margin, from.data(), bytes);
    CHECK(end == out.data() + margin + bytes);
    CHECK(out == std::string(margin, '#') + from + std::string(margin, '#'));
  }
}

TEST_CASE("copy: reads and writes nothing behind the last byte of memory") {
  test::GuardedBytes sources(bytes_max);
  test::GuardedBytes targets(bytes_max);
  for (size_t bytes = 0; bytes <= bytes_max; bytes++) {
    CAPTURE(bytes);
    const std::string text = numbered(bytes);
    const std::string_view from = sources.place(text);
    const std::string_view at = targets.place(std::string(bytes, '#'));
    copy_short(const_cast<char*>(at.data()), from.data(), bytes);
    CHECK(at == text);
  }
}

TEST_CASE("copy: does not care where its ends lie") {
  const std::string from = numbered(bytes_max + 64);
  for (size_t shift = 0; shift < 33; shift++) {
    for (const size_t bytes : {0u, 1u, 2u, 3u, 7u, 15u, 31u, 33u, 64u, 65u, 255u, 256u, 257u}) {
      std::string out(bytes + 64, '#');
      copy_short(out.data() + 33 - shift, from.data() + shift, bytes);
      REQUIRE(out.substr(33 - shift, bytes) == from.substr(shift, bytes));
    }
  }
}

}  // namespace
}  // namespace peal::core
