#pragma once
// How many messages there were at which time, for the plot of the rate: bounded, however long the
// run. It knows counts.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace peal::bench {

struct Moment {
  double at_s;
  uint64_t published;
  uint64_t received;
};

class Timeline {
 public:
  /// Keeps the moment if enough time has passed since the last.
  void note(const Moment& moment);
  /// Keeps it in any case.
  void end(const Moment& moment) { moments_.push_back(moment); }
  const std::vector<Moment>& moments() const { return moments_; }

 private:
  // Ten a second look smooth. When a long run has filled the page, every other one goes.
  static constexpr size_t moments_max = 1000;
  double interval_s_ = 0.1;
  std::vector<Moment> moments_{{0, 0, 0}};
};

}  // namespace peal::bench
