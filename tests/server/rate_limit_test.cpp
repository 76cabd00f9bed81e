// Goal: so many a second, whoever asks and however stale his time. Method: times are given.

#include "server/rate_limit.hpp"

#include <doctest/doctest.h>

namespace peal::server {
namespace {

unsigned permitted(RateLimit& limit, int64_t now_ns, unsigned times, uint32_t per_second_max) {
  unsigned count = 0;
  for (; times > 0; times--) count += limit.permits(now_ns, per_second_max) ? 1 : 0;
  return count;
}

TEST_CASE("rate limit: so many in each second, or any number where there is no limit") {
  RateLimit limit;
  CHECK(permitted(limit, 5 * core::second_ns, 10, 3) == 3);
  CHECK(permitted(limit, 6 * core::second_ns - 1, 10, 3) == 0);
  CHECK(permitted(limit, 6 * core::second_ns, 10, 3) == 3);
  CHECK(permitted(limit, 6 * core::second_ns, 10, 0) == 10);
}

TEST_CASE("rate limit: who is still in the second before counts in this one") {
  RateLimit limit;
  unsigned count = 0;
  for (int i = 0; i < 10; i++) {
    count += permitted(limit, 6 * core::second_ns - 1, 1, 3);
    count += permitted(limit, 6 * core::second_ns, 1, 3);
  }
  CHECK(count <= 3 + 1);  // One came in the second before.
}

}  // namespace
}  // namespace peal::server
