#include "tools/bench/timeline.hpp"

namespace peal::bench {

void Timeline::note(const Moment& moment) {
  if (moment.at_s < moments_.back().at_s + interval_s_) return;
  moments_.push_back(moment);
  if (moments_.size() <= moments_max) return;
  for (size_t i = 0; 2 * i < moments_.size(); i++) moments_[i] = moments_[2 * i];
  moments_.resize((moments_.size() + 1) / 2);
  interval_s_ *= 2;
}

}  // namespace peal::bench
