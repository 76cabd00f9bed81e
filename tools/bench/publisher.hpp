#pragma once
// One connection that publishes: as fast as it can, or each message at its due time, whether the
// server keeps up or not. And the loop of a thread that has several of them. It knows blocks of
// PUBs and the clock; who receives them it must never know.

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tools/bench/histogram.hpp"
#include "tools/bench/link.hpp"
#include "tools/bench/message_block.hpp"
#include "tools/bench/options.hpp"
#include "tools/bench/run_control.hpp"
#include "tools/bench/subjects.hpp"

namespace peal::bench {

enum class Payload : uint8_t { filler, due, sealed };

/// What one publisher does in one stretch of time.
struct Phase {
  int64_t start_ns = 0;
  int64_t end_ns = INT64_MAX;
  uint64_t messages = UINT64_MAX;
  double interval_ns = 0;  // From one message's due time to the next, on average; 0: no pace.
  uint32_t burst = 1;      // So many are due at once.
};

/// What all publishers share, and which outlives them.
struct PublisherPlan {
  const Options& options;
  const Subjects& subjects;
  /// How many subscriptions hear each leaf, or how many hear every message if it is empty.
  const std::vector<uint32_t>& leaf_hearers;
  uint32_t hearers;
  Payload payload;
  size_t block_bytes;
};

enum class Pumped : uint8_t { sent, blocked, early, done, failed };

/// Belongs to the thread that pumps it; the counters may be read by any.
class Publisher {
 public:
  Publisher(Link link, const PublisherPlan& plan, uint32_t index);

  void begin(const Phase& phase);
  /// One send at most. `flags` are those of send().
  Pumped pump(int64_t now_ns, int flags);
  int64_t next_due_ns() const { return due_ns(in_phase_); }
  /// Nothing more after what is half sent.
  void cut_short() { phase_.messages = in_phase_; }
  /// Hears what the server has to say: false if it ended the connection, or turned us down.
  bool tend();
  /// Waits until the server has all; false when it does not say so.
  bool finish();

  uint32_t index() const { return index_; }
  Link& link() { return link_; }
  const std::string& error() const { return error_; }
  uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }
  /// Deliveries that should follow from what was sent.
  uint64_t deliveries() const { return deliveries_.load(std::memory_order_relaxed); }
  int64_t finished_ns() const { return finished_ns_; }
  const Histogram& send_delay() const { return send_delay_; }

 private:
  bool is_paced() const { return phase_.interval_ns > 0; }
  int64_t due_ns(uint64_t in_phase) const {
    const uint64_t first = in_phase / phase_.burst * phase_.burst;
    return phase_.start_ns + int64_t(double(first) * phase_.interval_ns);
  }
  uint64_t wanted(int64_t now_ns) const;
  void fill(size_t messages, int64_t now_ns);
  void on_block_sent();
  Pumped on_blocked(int64_t now_ns);

  Link link_;
  const PublisherPlan& plan_;
  uint32_t index_;
  MessageBlock block_;
  LeafOrder leaves_;
  Phase phase_;
  uint64_t in_phase_ = 0;
  uint64_t number_ = 0;      // Since it began, for the seal.
  std::string_view unsent_;  // Of the block.
  size_t in_block_ = 0;
  uint64_t block_deliveries_ = 0;
  int64_t block_due_ns_ = 0;
  int64_t blocked_ns_ = 0;  // Since when the server has taken nothing; 0: it does.
  int64_t finished_ns_ = 0;
  std::string error_;
  Histogram send_delay_;
  alignas(64) std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> deliveries_{0};
};

/// The body of a thread: one phase of all of `mine`, to the server's answer that it has all.
void publish(const std::vector<Publisher*>& mine, RunControl& control);

}  // namespace peal::bench
