#pragma once
// What the fuzzers of parsers make of an input: the first byte chooses limits, headers and the
// length of the pieces; the rest is the stream.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/limits.hpp"

namespace peal::fuzz {

struct ParserInput {
  static constexpr size_t stream_bytes_max = 1 << 14;

  /// REQUIRES size > 0.
  ParserInput(const uint8_t* data, size_t size)
      : headers((data[0] & 1) == 0),
        limits((data[0] & 2) == 0 ? small_limits : protocol::Limits{}),
        piece_bytes(size_t{2} + (data[0] >> 2)),
        stream(reinterpret_cast<const char*>(data) + 1, size - 1) {}

  static bool usable(size_t size) { return size > 0 && size <= stream_bytes_max; }

  /// What a log says of the stream when it comes in such pieces.
  template <typename Log>
  std::string text_of(Log&& log, size_t read_bytes) const {
    for (size_t at = 0; at < stream.size(); at += read_bytes) {
      log.feed(stream.substr(at, read_bytes));
    }
    return log.text();
  }

  const bool headers;
  const protocol::Limits limits;
  const size_t piece_bytes;
  const std::string_view stream;

 private:
  // Small, so that what lies at the limits is found.
  static constexpr protocol::Limits small_limits{.control_line_bytes_max = 48,
                                                 .payload_bytes_max = 200};
};

}  // namespace peal::fuzz
