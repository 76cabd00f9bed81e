#include "tools/bench/stream_check.hpp"

#include <iterator>

namespace peal::bench {

StreamFaults& StreamFaults::operator+=(const StreamFaults& more) {
  lost += more.lost;
  duplicate += more.duplicate;
  reordered += more.reordered;
  damaged += more.damaged;
  return *this;
}

void StreamCheck::on_number(uint64_t number) {
  if (number == next_) {
    next_++;
    return;
  }
  if (number < next_) return fill_gap(number);
  gaps_.emplace(next_, number);
  missing_ += number - next_;
  next_ = number + 1;
}

// It is older than what came before: either it was overtaken, or it is here for the second time.
void StreamCheck::fill_gap(uint64_t number) {
  auto after = gaps_.upper_bound(number);
  if (after == gaps_.begin()) {
    duplicate_++;
    return;
  }
  const auto gap = std::prev(after);
  const auto [first, end] = *gap;
  if (number >= end) {
    duplicate_++;
    return;
  }
  reordered_++;
  missing_--;
  gaps_.erase(gap);
  if (first < number) gaps_.emplace(first, number);
  if (number + 1 < end) gaps_.emplace(number + 1, end);
}

StreamFaults StreamCheck::faults(uint64_t sent) const {
  const uint64_t never_came = sent > next_ ? sent - next_ : 0;
  return {.lost = missing_ + never_came, .duplicate = duplicate_, .reordered = reordered_};
}

}  // namespace peal::bench
