#pragma once
// When a run has to end before its time: Ctrl-C, or the first thing that failed. Threads ask, and
// whatever may be blocked is woken by closing what it is blocked on, which is its owner's to do. It
// knows no workload.

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace peal::bench {

class RunControl {
 public:
  bool stopping() const { return stopping_.load(std::memory_order_relaxed) || interrupted(); }
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

  /// Keeps the sentence and ends the run. What fails after the end was called is its consequence,
  /// and not kept.
  void fail(std::string sentence);
  std::vector<std::string> failures() const;

  /// Ctrl-C and SIGTERM, from now on. The second one ends the process at once.
  static void catch_signals();
  static bool interrupted();

 private:
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> failures_;
};

}  // namespace peal::bench
