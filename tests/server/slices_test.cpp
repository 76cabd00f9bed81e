#include "server/slices.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace peal::server {
namespace {

TEST_CASE("slices: members get the same of a run, but for one message, and little at a time") {
  for (size_t members = 1; members <= 40; members++) {
    for (size_t messages = 1; messages <= 3000; messages += 1 + messages / 7) {
      CAPTURE(members);
      CAPTURE(messages);
      std::vector<size_t> shares(members);
      size_t left = messages, place = 0, slices = 0;
      while (left > 0) {
        const size_t slice = next_slice(left, members, slices);
        REQUIRE(slice > 0);
        REQUIRE(slice <= std::min(left, slice_messages_max));
        shares[place++ % members] += slice;
        left -= slice;
      }
      const auto [least, most] = std::ranges::minmax(shares);
      CHECK(most - least <= 1);
    }
  }
}

TEST_CASE("slices: what one message less is left for is still shared") {
  // A message in between went its own way, and the rest is cut as it is.
  size_t slices = 0;
  CHECK(next_slice(128, 2, slices) == 64);
  CHECK(next_slice(63, 2, slices) == 63);
  CHECK(next_slice(10, 2, slices) == 5);
  CHECK(next_slice(5, 2, slices) == 5);
}

}  // namespace
}  // namespace peal::server
