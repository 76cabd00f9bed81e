#pragma once
// One connection that answers each request with a payload. It knows requests by their reply
// subject; who asks it must never know.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/bench/link.hpp"
#include "tools/bench/options.hpp"

namespace peal::bench {

/// Belongs to the thread that receives; the counters may be read by any.
class Responder {
 public:
  Responder(Link link, const Options& options, uint32_t index);

  std::optional<std::string> subscribe();
  Received receive(int flags);
  void on_quiet() { link_.ask(); }

  Link& link() { return link_; }
  uint32_t index() const { return index_; }
  uint64_t answered() const { return answered_.load(std::memory_order_acquire); }
  uint64_t request_bytes() const { return request_bytes_.load(std::memory_order_relaxed); }
  int64_t first_ns() const { return first_ns_.load(std::memory_order_relaxed); }
  int64_t last_ns() const { return last_ns_.load(std::memory_order_relaxed); }

 private:
  void add_answer(std::string_view to);

  const Options& options_;
  Link link_;
  uint32_t index_;
  std::string answer_;
  std::string answer_tail_;  // From the size to the last line end.
  std::string out_;
  std::atomic<uint64_t> answered_{0};
  std::atomic<uint64_t> request_bytes_{0};
  std::atomic<int64_t> first_ns_{0};
  std::atomic<int64_t> last_ns_{0};
};

}  // namespace peal::bench
