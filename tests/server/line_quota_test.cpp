#include "server/line_quota.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace peal::server {
namespace {

TEST_CASE("line quota: a second has so many lines, and the next one says what was left out") {
  LineQuota quota(2);
  std::vector<uint64_t> left_out;
  const auto asks = [&](int64_t at_ns) {
    return quota.permits(at_ns, [&](uint64_t count) { left_out.push_back(count); });
  };
  CHECK(asks(100));
  CHECK(asks(200));
  CHECK(!asks(300));
  CHECK(!asks(100 + core::second_ns - 1));
  CHECK(left_out.empty());

  CHECK(asks(100 + core::second_ns));
  CHECK(left_out == std::vector<uint64_t>{2});
  // Told once, and nothing is told of a second that took them all.
  CHECK(asks(100 + 3 * core::second_ns));
  CHECK(left_out.size() == 1);
}

}  // namespace
}  // namespace peal::server
