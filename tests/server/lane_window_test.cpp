#include "server/lane_window.hpp"

#include <doctest/doctest.h>

namespace peal::server {
namespace {

TEST_CASE("lane window: as many messages may wait as are worth so much") {
  LaneWindow window;
  CHECK(window.price() == 1);
  CHECK(window.credit(1000) == 1000);  // As long as nothing is known, one is one.
  window.count(10, 10);
  CHECK(window.credit(1000) == 10 + 1000);
  window.count(10, 0);  // Nobody is there any more: that is no reason for more of them.
  CHECK(window.credit(1000) == 20 + 1000);
}

TEST_CASE("lane window: a message for many takes the place of many") {
  LaneWindow window;
  window.count(4, 400);
  CHECK(window.credit(1000) == 4 + 10);
  CHECK(window.price() == 100);
  window.count(1, 1'000'000);
  CHECK(window.credit(1000) == 5 + 1);  // One is always let through.
}

TEST_CASE("lane window: follows what is said now, and is not moved by a rare message for many") {
  constexpr uint64_t work = 1000;
  LaneWindow window;
  uint64_t messages = 0;
  const auto hear = [&](uint64_t said, uint64_t for_each, unsigned times) {
    for (; times > 0; times--) {
      window.count(said, said * for_each);
      messages += said;
      window.credit(work);
    }
    return window.credit(work) - messages;
  };
  CHECK(hear(100, 1, 100) == work);
  CHECK(hear(1, 100, 1) > work / 2);
  CHECK(hear(10, 100, 10) < work / 50);
  CHECK(hear(100, 1, 200) > work * 9 / 10);
}

}  // namespace
}  // namespace peal::server
