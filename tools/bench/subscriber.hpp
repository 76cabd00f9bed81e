#pragma once
// One connection that subscribes, and counts, times or checks what it gets. And the loop of a
// thread that has several of them. It knows frames and stamps; who publishes, and when enough has
// come, it must never know.

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/binary_frame.hpp"
#include "tools/bench/histogram.hpp"
#include "tools/bench/link.hpp"
#include "tools/bench/run_control.hpp"
#include "tools/bench/stream_check.hpp"

namespace peal::bench {

enum class Listening : uint8_t {
  count,
  time,   // Counts, and takes the latency from the due time in each payload.
  check,  // Times, and holds number and checksum of each against what should come.
};

/// What each message looks like. With it known, counting needs no look at most of them.
struct ExpectedMessage {
  std::string subject_start;  // And what is beyond may differ, but for its length.
  size_t subject_bytes = 0;
  std::string headers;
  size_t message_bytes = 0;  // Headers and payload.
  size_t frame_bytes = 0;    // From MSG to the last line end; 0: not known.
};

struct SubscriberPlan {
  Listening listening = Listening::count;
  std::vector<std::string> filters;
  std::string queue;
  ExpectedMessage expected;
  uint32_t streams = 0;  // Publishers; for `check`.
};

/// Belongs to the thread that receives; the counters may be read by any, the rest after its end.
class Subscriber {
 public:
  Subscriber(Link link, SubscriberPlan plan, uint32_t index);

  /// The error is one sentence. After it, nothing of the handshake is on its way any more.
  std::optional<std::string> subscribe();

  Received receive(int flags);
  /// Nothing came for a while.
  void on_quiet();

  uint32_t index() const { return index_; }
  Link& link() { return link_; }
  /// What came before the messages that it counts can be seen by who has seen them.
  uint64_t messages() const { return messages_.load(std::memory_order_acquire); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t first_ns() const { return first_ns_.load(std::memory_order_relaxed); }
  int64_t last_ns() const { return last_ns_.load(std::memory_order_relaxed); }
  /// From now on, all that was timed before is forgotten.
  void reset_latency_later() { reset_.store(true, std::memory_order_relaxed); }

  const Histogram& latency() const { return latency_; }
  const std::vector<StreamCheck>& streams() const { return streams_; }
  uint64_t damaged() const { return damaged_; }

 private:
  Received discard(int flags);
  Received discard_frames(int flags);
  bool on_head(const protocol::FrameHead& head);
  /// How many bytes of those that are discarded make a message; 0: not known.
  size_t uniform_bytes() const {
    return link_.binary() ? plan_.expected.message_bytes : plan_.expected.frame_bytes;
  }
  Received look(int flags);
  /// Tells the server that we are alive, without having been asked: for we may not see it ask.
  void keep_alive(int64_t now_ns);
  void on_message(const protocol::Reply& reply, int64_t now_ns);
  void check(const protocol::Reply& reply, int64_t now_ns);
  bool looks_right(const protocol::Reply& reply) const;
  void show_counts(int64_t now_ns);

  Link link_;
  SubscriberPlan plan_;
  uint32_t index_;
  size_t sid_bytes_ = 1;

  uint64_t parsed_ = 0;
  uint64_t parsed_bytes_ = 0;
  bool uniform_ = false;  // The last message was as expected.
  bool discarding_ = false;
  bool look_ = false;  // At the next bytes, before they are discarded too.
  size_t discarded_bytes_ = 0;
  // Of frames: the head that is being read, and what is left of the body behind the last one.
  std::array<char, protocol::frame_head_bytes> head_;
  size_t head_bytes_ = 0;
  size_t names_left_bytes_ = 0;
  size_t batch_left_bytes_ = 0;
  int64_t alive_ns_ = 0;

  Histogram latency_;
  std::vector<StreamCheck> streams_;
  uint64_t damaged_ = 0;

  alignas(64) std::atomic<uint64_t> messages_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<int64_t> first_ns_{0};
  std::atomic<int64_t> last_ns_{0};
  std::atomic<bool> reset_{false};
};

/// The body of a thread: receives on all of `mine` until each is shut down. One that the server
/// closes while `closing` is false fails the run.
void listen(const std::vector<Subscriber*>& mine, RunControl& control,
            const std::atomic<bool>& closing);

}  // namespace peal::bench
