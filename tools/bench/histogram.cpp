#include "tools/bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace peal::bench {
namespace {

// Each power of two is cut into 128 buckets: the error is at most 1/128.
constexpr unsigned bits = 7;
constexpr uint64_t per_octave = uint64_t{1} << bits;
// 2^42 ns is more than an hour; what is longer counts as that, and max_ns tells the truth.
constexpr unsigned octaves = 42 - bits;
constexpr size_t buckets = (octaves + 1) * per_octave;

}  // namespace

Histogram::Histogram() : counts_(buckets) {}

// Below 128 a bucket is one value. Above, the seven bits after the leading one choose it:
//   octave   0..127   128..255   256..511 ...
//   width        1          1          2  ...
size_t Histogram::bucket_of(uint64_t ns) {
  if (ns < per_octave) return size_t(ns);
  const unsigned octave = unsigned(std::bit_width(ns)) - bits;
  const uint64_t within = (ns >> (octave - 1)) - per_octave;
  return std::min(size_t(octave * per_octave + within), buckets - 1);
}

uint64_t Histogram::last_of(size_t bucket) {
  if (bucket < per_octave) return bucket;
  const unsigned octave = unsigned(bucket >> bits);
  const uint64_t within = bucket & (per_octave - 1);
  return ((per_octave + within + 1) << (octave - 1)) - 1;
}

void Histogram::record(int64_t ns) {
  // Clocks of two processors may disagree by a few nanoseconds.
  ns = std::max<int64_t>(ns, 0);
  counts_[bucket_of(uint64_t(ns))]++;
  count_++;
  sum_ns_ += double(ns);
  min_ns_ = std::min(min_ns_, ns);
  max_ns_ = std::max(max_ns_, ns);
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); i++) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

int64_t Histogram::at_percent(double percent) const {
  if (empty()) return 0;
  const double wanted = std::ceil(double(count_) * percent / 100);
  const uint64_t rank = std::clamp<uint64_t>(uint64_t(wanted), 1, count_);
  if (rank == count_) return max_ns_;
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); bucket++) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(int64_t(last_of(bucket)), max_ns_);
  }
  return max_ns_;
}

std::vector<Histogram::Point> Histogram::distribution() const {
  constexpr int per_decade = 20;
  std::vector<Point> points;
  if (empty()) return points;
  // 10^-(i/20) of all values are slower. Where less than one value is left, the rest is the
  // maximum.
  for (int i = 0;; i++) {
    const double slower = std::pow(10, -double(i) / per_decade);
    if (slower * double(count_) < 1) break;
    const double percent = 100 * (1 - slower);
    points.push_back({percent, i == 0 ? min_ns() : at_percent(percent)});
  }
  points.push_back({100, max_ns_});
  return points;
}

}  // namespace peal::bench
