#pragma once
// Which subjects have the most traffic, by sampling: of each connection it is known how much it has
// published since the last look, and the subject that it published to last. Over some looks that is
// near the truth, and no message pays for it.
//
// One thread, the monitor's.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/watch.hpp"

namespace peal::server::monitor {

class TopSubjects {
 public:
  /// How many subjects are followed; the least of them make way.
  static constexpr size_t subjects_max = 1000;

  /// One look. Those that come faster than that are left out.
  void sample(const std::vector<ConnectionPicture>& connections, int64_t now_ns);

  /// Those with the most messages a second, the first ones first.
  std::vector<std::pair<std::string, double>> top(size_t count) const;

 private:
  void forget_least();

  int64_t at_ns_ = 0;
  double weight_ = 0;                                // Of all looks together; it comes near one.
  std::unordered_map<uint64_t, uint64_t> messages_;  // That a cid had published.
  std::unordered_map<std::string, double> rates_;
};

}  // namespace peal::server::monitor
