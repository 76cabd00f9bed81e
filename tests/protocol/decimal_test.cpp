#include "protocol/decimal.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace peal::protocol;

TEST_CASE("decimal: numbers are written and read back") {
  std::vector<uint32_t> numbers = {UINT32_MAX, UINT32_MAX - 1};
  for (uint32_t number = 0; number < 20'000; number++) numbers.push_back(number);
  for (uint32_t power = 10; power <= 1'000'000'000; power *= 10) {
    numbers.insert(numbers.end(), {power - 1, power, power + 1});
    if (power == 1'000'000'000) break;
  }
  std::mt19937 random(11);
  for (int i = 0; i < 100'000; i++) numbers.push_back(uint32_t(random()) >> (i % 32));

  for (const uint32_t number : numbers) {
    CAPTURE(number);
    char out[decimal_bytes_max];
    const std::string written(out, write_decimal(out, number));
    REQUIRE(written == std::to_string(number));
    if (number <= number_max) REQUIRE(read_decimal(written) == number);
    if (written.size() > 8) continue;
    for (const char after : {'\0', '0', '9', ' ', '\r', '\xff'}) {
      const std::string block = written + std::string(8, after);
      REQUIRE(read_short_decimal(block.data(), written.size()) == number);
    }
  }
}

TEST_CASE("decimal: what is not 1 to 9 digits is no number") {
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1a", "0000000001", "1234567890"}) {
    CHECK_FALSE(read_decimal(text).has_value());
  }
  CHECK(read_decimal("000000005") == 5u);
  CHECK(read_decimal("999999999") == number_max);
}

TEST_CASE("decimal: one wrong byte anywhere is seen") {
  for (size_t count = 1; count <= 8; count++) {
    for (size_t at = 0; at < count; at++) {
      for (int byte = 0; byte < 256; byte++) {
        for (const char digit : {'0', '9'}) {
          std::string text(8, digit);
          text[at] = char(byte);
          const auto slow = read_decimal(std::string_view(text).substr(0, count));
          REQUIRE(read_short_decimal(text.data(), count) == slow.value_or(not_a_number));
        }
      }
    }
  }
}
