#pragma once
// Threads for what is too slow for a shard: hashing passwords, verifying signatures, TLS
// handshakes. Few of them, at a low priority, with bounded queues, so that a storm of newcomers
// takes no more of the processors than that from those who are connected already. Where several
// kinds of work wait, each gets as much of the time: a hash is as long as a hundred steps of a
// handshake, or a thousand signatures. Of the hashes the newest comes first: where there are more
// than can be worked off, all would be done when those who wait for them have just given up. It
// knows how long work took, and nothing of what it is.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace peal::server {

class HelperPool {
 public:
  using Work = std::function<void()>;
  enum class Kind : uint8_t { handshake, signature, password };

  /// More waiting work of one kind than this is refused. Whoever waits has a deadline of a few
  /// seconds, so a longer queue would be worked off for nobody.
  static constexpr size_t waiting_max = 16 * 1024;

  /// The threads begin with the first work: most servers have none.
  explicit HelperPool(unsigned threads) : threads_max_(threads) {}
  /// Finishes what is being done, and drops what waits.
  ~HelperPool();
  HelperPool(const HelperPool&) = delete;
  HelperPool& operator=(const HelperPool&) = delete;

  /// False when the queue is full, or no thread can be had. From any thread.
  bool submit(Kind kind, Work work);

 private:
  struct Queue {
    std::deque<Work> waiting;
    int64_t spent_ns = 0;  // On its work. Who comes behind an idle time starts from the others'.
  };

  void begin();
  void run();
  Queue* next();
  Work take(Queue& queue);

  const unsigned threads_max_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::array<Queue, 3> queues_;  // By kind.
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace peal::server
