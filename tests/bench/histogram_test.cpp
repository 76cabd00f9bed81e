#include "tools/bench/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random.hpp"

namespace peal::bench {
namespace {

TEST_CASE("histogram: an empty one says zero everywhere") {
  const Histogram histogram;
  CHECK(histogram.empty());
  CHECK(histogram.at_percent(99) == 0);
  CHECK(histogram.max_ns() == 0);
  CHECK(histogram.min_ns() == 0);
  CHECK(histogram.distribution().empty());
}

// Goal: each percentile is the true one, or at most 1 % more.
// Method: values over nine powers of ten, held against the same values sorted.
TEST_CASE("histogram: percentiles are those of the sorted values, to 1 %") {
  core::Random random(7);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 200'000; i++) {
    const auto value = int64_t(std::pow(10, 9 * double(random.next() >> 11) * 0x1p-53));
    values.push_back(value);
    histogram.record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.001, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999}) {
    CAPTURE(percent);
    const auto rank = size_t(std::ceil(double(values.size()) * percent / 100));
    const int64_t truth = values[std::max<size_t>(rank, 1) - 1];
    CHECK(histogram.at_percent(percent) >= truth);
    CHECK(double(histogram.at_percent(percent)) <= 1.01 * double(truth));
  }
  CHECK(histogram.at_percent(100) == values.back());
  CHECK(histogram.min_ns() == values.front());
  CHECK(histogram.count() == values.size());
}

TEST_CASE(
    "histogram: small values are exact, negative ones are zero, huge ones keep their maximum") {
  Histogram histogram;
  for (int64_t value = 0; value < 256; value++) histogram.record(value);
  CHECK(histogram.at_percent(50) == 127);
  Histogram odd;
  odd.record(-5);
  CHECK(odd.max_ns() == 0);
  odd.record(INT64_MAX);
  CHECK(odd.at_percent(100) == INT64_MAX);
}

TEST_CASE("histogram: two merged are as one that saw all") {
  core::Random random(9);
  Histogram all, even, odd;
  for (int i = 0; i < 10'000; i++) {
    const int64_t value = random.below(1'000'000);
    all.record(value);
    (i % 2 == 0 ? even : odd).record(value);
  }
  even.merge(odd);
  CHECK(even.count() == all.count());
  CHECK(even.min_ns() == all.min_ns());
  CHECK(even.max_ns() == all.max_ns());
  CHECK(even.mean_ns() == doctest::Approx(all.mean_ns()));
  for (const double percent : {10.0, 50.0, 99.0}) {
    CHECK(even.at_percent(percent) == all.at_percent(percent));
  }
}

TEST_CASE("histogram: a distribution rises in both, from the least to the maximum") {
  Histogram histogram;
  for (int64_t value = 1; value <= 5000; value++) histogram.record(value * 1000);
  const auto points = histogram.distribution();
  REQUIRE(points.size() > 20);
  CHECK(points.front().percent == 0);
  CHECK(points.front().ns == 1000);
  CHECK(points.back().percent == 100);
  CHECK(points.back().ns == 5'000'000);
  for (size_t i = 1; i < points.size(); i++) {
    CHECK(points[i].percent > points[i - 1].percent);
    CHECK(points[i].ns >= points[i - 1].ns);
  }
}

}  // namespace
}  // namespace peal::bench
