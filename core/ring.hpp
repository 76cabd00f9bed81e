#pragma once
// One io_uring instance: set-up, the submission queue's last word, entry. It knows io_uring and its
// limits; it must never know what an operation is for. This is the only header that includes
// <liburing.h>, and only reactor_uring.cpp, ring.cpp and buffer_ring.cpp include it.

#include <liburing.h>

#include <cstdint>
#include <optional>
#include <string>

namespace peal::core {

class Ring {
 public:
  Ring() = default;
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// On the thread that will use it. Queues are halved where locked memory is short. The error is
  /// one sentence with the remedy.
  std::optional<std::string> open(unsigned submission_entries, unsigned completion_entries);

  /// An empty entry; submits what is there when the queue is full.
  io_uring_sqe* entry();

  /// Submits everything and runs what the kernel has put off for us; waits for a completion until
  /// `timeout_ns` have passed. 0 does not wait; negative waits for ever.
  int enter(int64_t timeout_ns);

  io_uring& raw() { return ring_; }

 private:
  io_uring ring_{};
  bool open_ = false;
};

}  // namespace peal::core
