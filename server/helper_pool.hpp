#pragma once
// Threads for what is too slow for a shard: hashing passwords, verifying signatures, TLS
// handshakes. Few of them, at a low priority, with a bounded queue, so that a storm of newcomers
// takes no more of the processors than that from those who are connected already. It knows work and
// nothing of what it is.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace peal::server {

class HelperPool {
 public:
  using Work = std::function<void()>;

  /// More waiting work than this is refused. Whoever waits has a deadline of a few seconds, so a
  /// longer queue would be worked off for nobody.
  static constexpr size_t waiting_max = 16 * 1024;

  /// The threads begin with the first work: most servers have none.
  explicit HelperPool(unsigned threads) : threads_max_(threads) {}
  /// Finishes what is being done, and drops what waits.
  ~HelperPool();
  HelperPool(const HelperPool&) = delete;
  HelperPool& operator=(const HelperPool&) = delete;

  /// False when the queue is full, or no thread can be had. From any thread.
  bool submit(Work work);

 private:
  void begin();
  void run();

  const unsigned threads_max_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Work> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace peal::server
