#pragma once
// How often which duration was seen, in buckets that are narrow for short ones and wide for long
// ones, so that every value is known to better than 1 %. It knows numbers; what was timed it must
// never know. One thread writes; merge after it has ended.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace peal::bench {

class Histogram {
 public:
  Histogram();

  void record(int64_t ns);
  void merge(const Histogram& other);

  bool empty() const { return count_ == 0; }
  uint64_t count() const { return count_; }
  int64_t min_ns() const { return empty() ? 0 : min_ns_; }
  int64_t max_ns() const { return max_ns_; }
  double mean_ns() const { return empty() ? 0 : sum_ns_ / double(count_); }

  /// The value that `percent` of all values do not exceed, to within the width of a bucket and
  /// never less than the true one. 100 gives the maximum.
  int64_t at_percent(double percent) const;

  struct Point {
    double percent;
    int64_t ns;
  };
  /// For a plot: denser towards the slow end, so that each power of ten of rarity has as many.
  std::vector<Point> distribution() const;

 private:
  static size_t bucket_of(uint64_t ns);
  static uint64_t last_of(size_t bucket);

  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  int64_t min_ns_ = INT64_MAX;
  int64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace peal::bench
