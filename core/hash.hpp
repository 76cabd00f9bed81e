#pragma once
// A hash of bytes that nobody outside the process can predict: two keys come from a seed that is
// drawn at start, and every step multiplies 64 by 64 bits and folds the 128 together, in the manner
// of wyhash. It is not for secrets, only for tables. Equal seeds give equal hashes, so that a test
// can be repeated.
//
// Unlike wyhash it has no public constants in the multiplications: whoever knows a constant can
// cancel it, and so make the rest of his text count for nothing.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace peal::core {

class Hasher {
 public:
  explicit Hasher(uint64_t seed) : first_(stir(seed + 1)), second_(stir(seed + 2)) {}

  /// `salt` tells apart what may have equal text: accounts, owners, parents.
  uint64_t operator()(std::string_view bytes, uint64_t salt = 0) const {
    const char* at = bytes.data();
    const size_t size = bytes.size();
    uint64_t state = salt ^ second_;
    if (size > 16) {
      const char* const last = at + size - 16;
      do {
        state = fold(word(at) ^ first_, word(at + 8) ^ state);
        at += 16;
      } while (at < last);
      return finish(word(last), word(last + 8), state, size);
    }
    if (size >= 8) return finish(word(at), word(at + size - 8), state, size);
    if (size >= 4) return finish(half(at), half(at + size - 4), state, size);
    if (size == 0) return finish(0, 0, state, size);
    const uint64_t few = uint64_t{byte(at)} << 16 | uint64_t{byte(at + size / 2)} << 8 |
                         uint64_t{byte(at + size - 1)};
    return finish(few, 0, state, size);
  }

  /// Of two numbers.
  uint64_t pair(uint64_t one, uint64_t other) const {
    return fold(fold(one ^ first_, other ^ second_), first_);
  }

 private:
  static uint8_t byte(const char* at) { return static_cast<uint8_t>(*at); }
  static uint64_t half(const char* at) {
    uint32_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
  }
  static uint64_t word(const char* at) {
    uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
  }

  static uint64_t fold(uint64_t one, uint64_t other) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(one) * other;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  uint64_t finish(uint64_t one, uint64_t other, uint64_t state, size_t size) const {
    return fold(first_ ^ size, fold(one ^ first_, other ^ state));
  }

  // splitmix64's last steps, so that neighbouring seeds give keys that have nothing in common.
  static uint64_t stir(uint64_t number) {
    number *= 0x9e3779b97f4a7c15;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
    number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
    return number ^ (number >> 31);
  }

  uint64_t first_;
  uint64_t second_;
};

}  // namespace peal::core
