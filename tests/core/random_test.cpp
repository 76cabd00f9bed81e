#include "core/random.hpp"

#include <doctest/doctest.h>

#include <array>

namespace peal::core {
namespace {

TEST_CASE("random: is the published generator") {
  Random random(1234567);
  for (const uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                  4593380528125082431u, 16408922859458223821u}) {
    CHECK(random.next() == expected);
  }
}

TEST_CASE("random: the same seed gives the same numbers, another one others") {
  Random one(5), same(5), other(6);
  const uint64_t first = one.next();
  CHECK(first == same.next());
  CHECK(first != other.next());
}

TEST_CASE("random: stays below its bound, and every number comes equally often") {
  Random random(42);
  CHECK(random.below(1) == 0);
  CHECK(random.below(0) == 0);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; i++) {
    const uint32_t number = random.below(7);
    REQUIRE(number < 7);
    counts[number]++;
  }
  // Ten times the standard deviation, for a seed that is always the same.
  for (const int count : counts) CHECK(count == doctest::Approx(10000).epsilon(0.1));
  bool high = false;
  for (int i = 0; i < 100; i++) {
    const uint32_t number = random.below(UINT32_MAX);
    high = high || number > UINT32_MAX / 2;
    REQUIRE(number < UINT32_MAX);
  }
  CHECK(high);
}

}  // namespace
}  // namespace peal::core
