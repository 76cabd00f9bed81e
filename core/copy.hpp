#pragma once
// Copying of short texts in place: a call of memcpy costs more than the moving of a few dozen
// bytes, which is what most messages have. Reads and writes no byte outside of what is copied.

#include <cstddef>
#include <cstring>

namespace peal::core {

namespace detail {
/// Two moves of `half` bytes that may overlap.
template <size_t half>
inline void copy_in_two(char* out, const char* from, size_t bytes) {
  char first[half], last[half];
  std::memcpy(first, from, half);
  std::memcpy(last, from + bytes - half, half);
  std::memcpy(out, first, half);
  std::memcpy(out + bytes - half, last, half);
}
}  // namespace detail

/// As memcpy, for what is likely to be short. Returns the end.
inline char* copy_short(char* out, const char* from, size_t bytes) {
  constexpr size_t long_bytes = 256;
  if (bytes > long_bytes) {
    std::memcpy(out, from, bytes);
  } else if (bytes > 32) {
    size_t done = 0;
    for (; done + 32 < bytes; done += 32) std::memcpy(out + done, from + done, 32);
    std::memcpy(out + bytes - 32, from + bytes - 32, 32);
  } else if (bytes >= 16) {
    detail::copy_in_two<16>(out, from, bytes);
  } else if (bytes >= 8) {
    detail::copy_in_two<8>(out, from, bytes);
  } else if (bytes >= 4) {
    detail::copy_in_two<4>(out, from, bytes);
  } else if (bytes > 0) {
    out[0] = from[0];
    out[bytes / 2] = from[bytes / 2];
    out[bytes - 1] = from[bytes - 1];
  }
  return out + bytes;
}

}  // namespace peal::core
