#pragma once
// One of a bounded number of something that is dear, in the whole server: it is had while its seat
// is taken. It knows a count, which threads share.

#include <atomic>
#include <cstdint>

namespace peal::server {

class Seat {
 public:
  Seat() = default;
  ~Seat() { leave(); }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  /// False when `seats` of those that `taken` counts are.
  bool take(std::atomic<uint32_t>& taken, uint32_t seats) {
    if (taken_ != nullptr) return true;
    if (taken.fetch_add(1, std::memory_order_relaxed) < seats) {
      taken_ = &taken;
      return true;
    }
    taken.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  bool taken() const { return taken_ != nullptr; }
  void leave() {
    if (taken_ != nullptr) taken_->fetch_sub(1, std::memory_order_relaxed);
    taken_ = nullptr;
  }

 private:
  std::atomic<uint32_t>* taken_ = nullptr;
};

}  // namespace peal::server
