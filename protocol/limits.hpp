#pragma once
// Every number of the NATS wire protocol that bounds something, with the default that nats-server
// gives it. It knows numbers; what happens to who exceeds one is told by error.hpp.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace peal::protocol {

/// What a server may set for its clients.
struct Limits {
  /// Bytes of a control line's arguments. Blanks between verb and arguments are not counted (but
  /// bounded, see line_bytes_max), nor is the line end.
  uint32_t control_line_bytes_max = 4096;
  /// Bytes of a message, headers included.
  uint32_t payload_bytes_max = 1 << 20;
};

/// Sizes, and the maximum of UNSUB, have no more decimal digits than this, leading zeros included.
/// So every one of them fits 32 bits, and no sum of two can overflow.
inline constexpr size_t number_digits_max = 9;
inline constexpr uint32_t number_max = 999'999'999;

/// CONNECT, the longest of the verbs.
inline constexpr size_t verb_bytes_max = 7;

/// What ends a control line, and every payload.
inline constexpr std::string_view line_end_text = "\r\n";
inline constexpr size_t line_end_bytes = line_end_text.size();

/// The longest control line that the parser ever waits for. The blanks before the arguments may be
/// as long as the arguments: nats-server lets them be endless, for it keeps none of them.
constexpr size_t line_bytes_max(const Limits& limits) {
  return verb_bytes_max + 2 * size_t{limits.control_line_bytes_max} + line_end_bytes;
}

/// The longest line that we take from a server. INFO names every server of a cluster, so this is
/// ours, and generous.
inline constexpr size_t reply_line_bytes_max = 1 << 20;

}  // namespace peal::protocol
