#pragma once
// One line on a terminal that says how far a run is and how fast, drawn again and again; nothing
// when there is no terminal to draw on. It knows numbers.

#include <cstdint>

#include "tools/bench/options.hpp"

namespace peal::bench {

class Progress {
 public:
  explicit Progress(const Options& options);
  ~Progress();

  /// `done` is 0 to 1, or negative when there is no end in sight. `count` is all until now.
  void show(double done, uint64_t count, int64_t now_ns);
  void clear();

 private:
  bool shown_;
  bool drawn_ = false;
  uint64_t last_count_ = 0;
  int64_t last_ns_ = 0;
};

}  // namespace peal::bench
