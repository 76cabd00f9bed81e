// Any bytes at all through the parser. The oracle: whole, byte by byte, and in pieces of another
// length, they come to the same commands and the same refusal; CommandLog adds the contract of
// parser.hpp, and memory that ends where the input does.
//
// The first byte chooses limits, headers and the length of the pieces; the rest is the stream.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/support/command_log.hpp"
#include "tests/support/guarded_bytes.hpp"

namespace {

using peal::protocol::Limits;
using peal::test::CommandLog;

constexpr size_t stream_bytes_max = 1 << 16;

// Small, so that what lies at the limits is found.
constexpr Limits small_limits{.control_line_bytes_max = 48, .payload_bytes_max = 200};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > stream_bytes_max) return 0;
  const uint8_t choice = data[0];
  const bool headers = (choice & 1) == 0;
  const Limits limits = (choice & 2) == 0 ? small_limits : Limits{};
  const size_t piece_bytes = size_t{2} + (choice >> 2);
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);

  static peal::test::GuardedBytes memory(stream_bytes_max);
  const auto parse = [&](size_t read_bytes) {
    CommandLog log(memory, limits, headers);
    for (size_t at = 0; at < stream.size(); at += read_bytes) {
      log.feed(stream.substr(at, read_bytes));
    }
    return log.text();
  };
  const auto whole = parse(stream_bytes_max);
  if (parse(1) != whole || parse(piece_bytes) != whole) std::abort();
  return 0;
}
