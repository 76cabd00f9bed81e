// Goal: a shard that is silent is named once, again when that has doubled, and when it is over.

#include "server/roll_call.hpp"

#include <doctest/doctest.h>

using peal::server::RollCall;

TEST_CASE("roll call: whoever answers is no news") {
  RollCall roll(2);
  CHECK(roll.look({0, 0}, 100).empty());
  const uint64_t number = roll.call(100);
  CHECK(roll.look({number, number}, 200).empty());
  CHECK(roll.complete());
}

TEST_CASE("roll call: a silence is told when it is noticed, when it has doubled, and at its end") {
  RollCall roll(2);
  roll.look({0, 0}, 100);
  const uint64_t first = roll.call(100);
  auto news = roll.look({first, 0}, 110);
  REQUIRE(news.size() == 1);
  CHECK(news[0].shard == 1);
  CHECK(news[0].silent_ns == 10);
  CHECK_FALSE(news[0].ended);
  CHECK_FALSE(roll.complete());

  uint64_t next = roll.call(110);
  CHECK(roll.look({next, 0}, 119).empty());
  CHECK_FALSE(roll.complete());
  next = roll.call(119);
  news = roll.look({next, 0}, 120);
  REQUIRE(news.size() == 1);
  CHECK(news[0].silent_ns == 20);

  next = roll.call(120);
  news = roll.look({next, next}, 125);
  REQUIRE(news.size() == 1);
  CHECK(news[0].ended);
  CHECK(news[0].silent_ns == 25);
  CHECK(roll.complete());
}
