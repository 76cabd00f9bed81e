#pragma once
// One connection that sends requests and waits for their replies, a fixed number in flight: the
// next request goes out when a reply comes in. It knows its own requests; who answers it must never
// know.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/histogram.hpp"
#include "tools/bench/link.hpp"
#include "tools/bench/options.hpp"

namespace peal::bench {

/// Belongs to the thread that receives; `replies` may be read by any, the rest after its end.
class Requester {
 public:
  Requester(Link link, const Options& options, uint32_t index);

  std::optional<std::string> subscribe();
  /// Sends the first ones; false when the connection is gone, or the server takes nothing.
  bool begin(int64_t measure_ns, int64_t end_ns, uint64_t requests);
  /// Says `closed` also when its work is done.
  Received receive(int flags);
  void on_quiet();

  bool is_done() const { return outstanding_ == 0 && !wants_more(); }
  const std::string& error() const { return error_; }
  Link& link() { return link_; }
  uint32_t index() const { return index_; }
  uint64_t replies() const { return replies_.load(std::memory_order_relaxed); }
  uint64_t reply_bytes() const { return reply_bytes_; }
  int64_t last_ns() const { return last_ns_; }
  const Histogram& latency() const { return latency_; }

 private:
  void on_reply(const protocol::Reply& reply, int64_t now_ns);
  void add_request(uint32_t slot, int64_t now_ns);
  bool wants_more() const { return now_ns_ < end_ns_ && measured_ < requests_; }

  Link link_;
  uint32_t index_;
  std::string inbox_;
  std::string request_;           // With the slot's digits to be filled in.
  size_t slot_at_ = 0;            // In request_.
  std::vector<int64_t> sent_ns_;  // By slot; 0: free.
  std::string out_;
  int64_t measure_ns_ = 0;
  int64_t end_ns_ = 0;
  uint64_t requests_ = 0;
  uint64_t measured_ = 0;
  uint32_t outstanding_ = 0;
  int64_t now_ns_ = 0;
  int64_t last_ns_ = 0;
  uint64_t reply_bytes_ = 0;
  std::string error_;
  Histogram latency_;
  std::atomic<uint64_t> replies_{0};
};

/// What is asked, and what a responder listens to.
std::string request_subject(const Options& options);

}  // namespace peal::bench
