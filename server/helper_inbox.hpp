#pragma once
// Where helpers put what they have found out for the connections of one shard. Many writers, who
// may outlive the shard; one reader, the shard's thread, which is woken.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "core/reactor.hpp"

namespace peal::server {

struct HelperResult {
  uint32_t slot = 0;
  uint32_t generation = 0;
  enum class Of : uint8_t { proof, handshake } of = Of::proof;
  bool holds = false;  // Of a proof: what the client said of itself is true.
};

class HelperInbox {
 public:
  /// nullptr when the shard goes: what comes after that is dropped.
  void attach(core::Reactor* reactor) {
    const std::lock_guard lock(mutex_);
    reactor_ = reactor;
  }

  void put(HelperResult result) {
    const std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return;
    results_.push_back(result);
    any_.store(true, std::memory_order_release);
    reactor_->notify();
  }

  /// Cheap enough for every turn.
  bool any() const { return any_.load(std::memory_order_acquire); }

  std::vector<HelperResult> take() {
    const std::lock_guard lock(mutex_);
    any_.store(false, std::memory_order_relaxed);
    return std::exchange(results_, {});
  }

 private:
  std::mutex mutex_;
  core::Reactor* reactor_ = nullptr;
  std::vector<HelperResult> results_;
  std::atomic<bool> any_{false};
};

}  // namespace peal::server
