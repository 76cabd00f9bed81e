#pragma once
// Lines of one kind that a log takes in a second, however many there would be. What is left out is
// counted, and the count is for one line more. It knows time and numbers; the lines are the
// caller's.
//
// One thread at a time.

#include <cstdint>
#include <utility>

#include "core/clock.hpp"

namespace peal::server {

class LineQuota {
 public:
  explicit LineQuota(unsigned lines_per_second) : lines_per_second_(lines_per_second) {}

  /// Whether one more may be written now. Before the first of a new second, `say_left_out` is given
  /// the number of those that were not since the one before, if there were any.
  template <class SayLeftOut>
  bool permits(int64_t now_ns, SayLeftOut say_left_out) {
    if (now_ns >= second_ends_ns_) {
      second_ends_ns_ = now_ns + core::second_ns;
      lines_ = 0;
      if (left_out_ > 0) say_left_out(std::exchange(left_out_, 0));
    }
    if (lines_ < lines_per_second_) return ++lines_, true;
    left_out_++;
    return false;
  }

 private:
  const unsigned lines_per_second_;
  int64_t second_ends_ns_ = INT64_MIN;
  unsigned lines_ = 0;  // In this second.
  uint64_t left_out_ = 0;
};

}  // namespace peal::server
