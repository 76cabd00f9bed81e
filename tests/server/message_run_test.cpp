// Goal: a run is copied byte for byte, with nothing read or written outside of it. Method: all
// small sizes, heads and strides, against copying one by one, at the end of readable memory.

#include "server/message_run.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/guarded_bytes.hpp"

using namespace peal;
using server::MessageRun;

namespace {

constexpr char untouched = '#';

/// Messages of `size` bytes at `stride_bytes` from each other; what lies between is not theirs.
std::string spread(size_t size, size_t stride_bytes, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; i++) {
    for (size_t at = 0; at < size; at++) bytes += static_cast<char>('a' + (i * 7 + at) % 26);
    bytes += "\r\n";
    if (i + 1 < count) bytes.append(stride_bytes - size - 2, '-');
  }
  return bytes;
}

}  // namespace

TEST_CASE("message run: copies each message behind its head, and nothing else") {
  test::GuardedBytes readable(1 << 16);
  for (const size_t size : {0u, 1u, 2u, 13u, 16u, 29u, 30u, 31u, 62u, 128u, 254u, 255u, 700u}) {
    for (const size_t between : {0u, 1u, 20u, 40u}) {
      for (const size_t head_bytes : {0u, 1u, 22u, 32u, 33u, 100u, 128u, 129u, 200u}) {
        for (const size_t count : {0u, 1u, 2u, 3u, 17u, 40u}) {
          CAPTURE(size);
          CAPTURE(between);
          CAPTURE(head_bytes);
          CAPTURE(count);
          const size_t stride_bytes = size + 2 + between;
          const std::string head(head_bytes, 'H');
          const std::string source = spread(size, stride_bytes, count);
          std::string expected;
          for (size_t i = 0; i < count; i++) {
            expected += head + source.substr(i * stride_bytes, size + 2);
          }
          std::vector<char> out(expected.size() + 64, untouched);
          const MessageRun run{readable.place(source).data(), stride_bytes, size, count};
          char* const end = server::copy_run(out.data(), head, run);
          REQUIRE(end == out.data() + expected.size());
          REQUIRE(std::equal(expected.begin(), expected.end(), out.begin()));
          REQUIRE(std::all_of(out.begin() + static_cast<ptrdiff_t>(expected.size()), out.end(),
                              [](char byte) { return byte == untouched; }));
        }
      }
    }
  }
}

// Of messages that came in a frame, and of such as go into one.
TEST_CASE("message run: gives and takes the CR LF that the other framing has or has not") {
  test::GuardedBytes readable(1 << 16);
  for (const size_t size : {1u, 2u, 13u, 16u, 29u, 30u, 31u, 62u, 128u, 254u, 256u, 257u, 700u}) {
    for (const size_t head_bytes : {1u, 20u, 22u, 30u, 31u, 94u, 126u}) {
      for (const size_t count : {0u, 1u, 2u, 3u, 17u, 40u}) {
        CAPTURE(size);
        CAPTURE(head_bytes);
        CAPTURE(count);
        const std::string head(head_bytes, 'H');
        const std::string lines = spread(size, size + 2, count);
        std::string bare, with_heads;
        for (size_t i = 0; i < count; i++) {
          bare += lines.substr(i * (size + 2), size);
          with_heads += head + lines.substr(i * (size + 2), size + 2);
        }
        const auto expect = [&](const std::string& expected, auto&& copy) {
          std::vector<char> out(expected.size() + 64, untouched);
          REQUIRE(copy(out.data()) == out.data() + expected.size());
          REQUIRE(std::equal(expected.begin(), expected.end(), out.begin()));
          REQUIRE(std::all_of(out.begin() + static_cast<ptrdiff_t>(expected.size()), out.end(),
                              [](char byte) { return byte == untouched; }));
        };
        const MessageRun framed{readable.place(bare).data(), size, size, count, 0};
        expect(bare, [&](char* out) { return server::copy_run(out, {}, framed); });
        expect(with_heads, [&](char* out) { return server::copy_run_as_lines(out, head, framed); });
        const MessageRun lined{readable.place(lines).data(), size + 2, size, count};
        expect(bare, [&](char* out) { return server::copy_run(out, {}, lined.bare()); });
        expect(with_heads, [&](char* out) { return server::copy_run_as_lines(out, head, lined); });
      }
    }
  }
}

TEST_CASE("message run: its parts are where they should be") {
  const std::string source = spread(3, 8, 5);
  const MessageRun run{source.data(), 8, 3, 5};
  CHECK(run.front(2).count == 2);
  CHECK(run.front(2).first == run.first);
  CHECK(run.behind(2).count == 3);
  CHECK(run.behind(2).first == run.first + 16);
  CHECK(run.content_bytes() == 5);
}
