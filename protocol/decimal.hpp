#pragma once
// Numbers to decimal digits and back, for sizes. It knows digits; limits are its caller's.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "protocol/limits.hpp"
#include "protocol/scan.hpp"

namespace peal::protocol {

/// What write_decimal may write for any number of 32 bits.
inline constexpr size_t decimal_bytes_max = 10;

/// Writes the number without leading zeros, and returns the end of it.
inline char* write_decimal(char* out, uint32_t number) {
  static constexpr char pairs[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
      "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
      "9293949596979899";
  if (number < 10) {
    *out = char('0' + number);
    return out + 1;
  }
  if (number < 100) {
    std::memcpy(out, pairs + 2 * number, 2);
    return out + 2;
  }
  char digits[decimal_bytes_max];
  char* first = digits + sizeof digits;
  while (number >= 100) {
    first -= 2;
    std::memcpy(first, pairs + 2 * (number % 100), 2);
    number /= 100;
  }
  if (number >= 10) {
    first -= 2;
    std::memcpy(first, pairs + 2 * number, 2);
  } else {
    *--first = char('0' + number);
  }
  const size_t bytes = size_t(digits + sizeof digits - first);
  std::memcpy(out, first, bytes);
  return out + bytes;
}

/// 1 to 9 digits and nothing else, leading zeros allowed.
inline std::optional<uint32_t> read_decimal(std::string_view digits) {
  if (digits.empty() || digits.size() > number_digits_max) return std::nullopt;
  uint32_t number = 0;
  for (const char digit : digits) {
    const uint32_t value = uint32_t(uint8_t(digit)) - '0';
    if (value > 9) return std::nullopt;
    number = number * 10 + value;
  }
  return number;
}

/// What read_short_decimal answers to what is not a number.
inline constexpr uint32_t not_a_number = UINT32_MAX;

/// 1 to 8 digits, without a loop. The eight bytes from `digits` on are read, however many count.
inline uint32_t read_short_decimal(const char* digits, size_t count) {
  assert(count >= 1 && count <= 8);
  // The digits move up to the end of the word, so that the bytes before them count as zeros.
  uint64_t word = (scan::load_u64(digits) ^ 0x3030303030303030) << (8 * (8 - count));
  if (((word + 0x7676767676767676) | word) & 0x8080808080808080) return not_a_number;
  word = word * 10 + (word >> 8);  // Pairs, in every other byte.
  constexpr uint64_t pair = 0x000000ff000000ff;
  return uint32_t(
      ((word & pair) * 0x000f424000000064 + ((word >> 16) & pair) * 0x0000271000000001) >> 32);
}

}  // namespace peal::protocol
