#pragma once
// What a payload carries so that its receiver can judge it: when it was due (latency), or also who
// sent it, its number, and a checksum of every byte (soak). It knows bytes of a payload; what a
// gap in the numbers means is stream_check's to know.
//
//   latency   due_ns 8 | filler
//   soak      number 8 | due_ns 8 | stream 4 | crc 4 | filler        all in this machine's order

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace peal::bench {

inline constexpr size_t due_bytes = 8;
inline constexpr size_t seal_bytes = 24;

inline void stamp_due(char* payload, int64_t due_ns) { std::memcpy(payload, &due_ns, due_bytes); }

inline int64_t read_due(std::string_view payload) {
  int64_t due_ns;
  std::memcpy(&due_ns, payload.data(), due_bytes);
  return due_ns;
}

struct Seal {
  uint64_t number;  // Of its stream, from 0.
  int64_t due_ns;
  uint32_t stream;

  bool operator==(const Seal&) const = default;
};

/// Writes the seal over the first bytes; the filler behind it must be in place.
void seal(char* payload, size_t payload_bytes, const Seal& seal);

/// None if any byte is not what was sealed.
std::optional<Seal> read_seal(std::string_view payload);

}  // namespace peal::bench
