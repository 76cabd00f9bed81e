#pragma once
// Finds the bytes that structure a control line, many at a time. It knows bytes; what is between
// two blanks, and which blanks are allowed, it must never know.
//
// A blank here is any byte from 0x00 to 0x20: the separators, CR, LF, and the control bytes that a
// line must not have, so that one mask shows all that a parser has to look at.
//
// SSE2 is part of every x86-64, so nothing is chosen at run time: AVX2 would save four instructions
// of some sixty, and cost the inlining. Other machines take the portable version, and so does
// everything that is built with PEAL_PORTABLE_SCAN, as one run of the tests is.

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) && !defined(PEAL_PORTABLE_SCAN)
#define PEAL_SCAN_SSE2 1
#include <emmintrin.h>
#endif

namespace peal::protocol::scan {

static_assert(std::endian::native == std::endian::little, "bit 0 of a mask is the first byte");

inline constexpr size_t block_bytes = 64;

inline uint16_t load_u16(const char* bytes) {
  uint16_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

inline uint32_t load_u32(const char* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

inline uint64_t load_u64(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// The dots among eight bytes, as the highest bit of each byte that is one.
inline uint64_t dots(const char* bytes) {
  constexpr uint64_t low_bits = 0x7f7f7f7f7f7f7f7f;
  constexpr uint64_t eight_dots = 0x2e2e2e2e2e2e2e2e;
  const uint64_t word = load_u64(bytes) ^ eight_dots;
  return ~(((word & low_bits) + low_bits) | word | low_bits);
}

/// The blanks among 64 bytes, the first of them in bit 0. All 64 are read.
inline uint64_t blanks_portable(const char* bytes) {
  constexpr uint64_t low_bits = 0x7f7f7f7f7f7f7f7f;
  constexpr uint64_t over_blank =
      0x5f5f5f5f5f5f5f5f;                          // 0x20 + 0x5f stays below 0x80, 0x21 does not.
  constexpr uint64_t gather = 0x0102040810204080;  // Brings bit 8i to bit 56 + i.
  uint64_t mask = 0;
  for (size_t i = 0; i < block_bytes; i += 8) {
    const uint64_t word = load_u64(bytes + i);
    const uint64_t text = (((word & low_bits) + over_blank) | word) & ~low_bits;
    mask |= (((~text & ~low_bits) >> 7) * gather >> 56) << i;
  }
  return mask;
}

/// The blanks among 64 bytes, the first of them in bit 0. All 64 are read.
inline uint64_t blanks(const char* bytes) {
#ifdef PEAL_SCAN_SSE2
  const __m128i blank = _mm_set1_epi8(0x20);
  const auto of_16 = [&](size_t at) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + at));
    const __m128i hits = _mm_cmpeq_epi8(_mm_max_epu8(text, blank), blank);
    return uint64_t(uint32_t(_mm_movemask_epi8(hits))) << at;
  };
  return (of_16(0) | of_16(16)) | (of_16(32) | of_16(48));
#else
  return blanks_portable(bytes);
#endif
}

/// The blanks among the first `wanted` of `readable` bytes; only those that are readable are read.
inline uint64_t blanks_within(const char* bytes, size_t wanted, size_t readable) {
  assert(wanted <= readable && wanted <= block_bytes);
  const uint64_t mask = wanted < block_bytes ? (uint64_t{1} << wanted) - 1 : ~uint64_t{0};
  if (readable >= block_bytes) return blanks(bytes) & mask;
  char copy[block_bytes];
  std::memcpy(copy, bytes, readable);
  std::memset(copy + readable, 0, block_bytes - readable);
  return blanks(copy) & mask;
}

}  // namespace peal::protocol::scan
