#pragma once
// What memory is used for, by purpose, for the whole process. Each thread has a page of its own and
// writes only there; the sum over all pages is the truth, though one page may be negative, since
// what one thread charged another may release. Read coarsely: a page is shown to others once a
// turn.

#include <array>
#include <cstddef>
#include <cstdint>

namespace peal::core {

/// Chunks hold what waits to be sent or parsed; payload is what is large and counted; links are
/// what connections have beyond plain ones.
enum class Purpose : uint8_t { chunks, payload, interest, links };
inline constexpr size_t purposes = static_cast<size_t>(Purpose::links) + 1;

class LedgerPage {
 public:
  void charge(Purpose purpose, size_t bytes) {
    bytes_[static_cast<size_t>(purpose)] += static_cast<int64_t>(bytes);
  }
  void release(Purpose purpose, size_t bytes) {
    bytes_[static_cast<size_t>(purpose)] -= static_cast<int64_t>(bytes);
  }
  void set(Purpose purpose, size_t bytes) {
    bytes_[static_cast<size_t>(purpose)] = static_cast<int64_t>(bytes);
  }
  int64_t bytes(Purpose purpose) const { return bytes_[static_cast<size_t>(purpose)]; }

  /// What this page adds up to.
  int64_t total() const {
    int64_t sum = 0;
    for (const int64_t bytes : bytes_) sum += bytes;
    return sum;
  }

 private:
  std::array<int64_t, purposes> bytes_{};
};

/// The page of the thread that asks. In the simulation several shards share one thread and one
/// page, which the sum does not mind.
inline LedgerPage& ledger() {
  thread_local LedgerPage page;
  return page;
}

/// What somebody holds for one purpose: charged as it grows, released as it shrinks and with its
/// holder.
class Charge {
 public:
  explicit Charge(Purpose purpose) : purpose_(purpose) {}
  ~Charge() { set(0); }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

  void set(size_t bytes) {
    ledger().charge(purpose_, bytes);
    ledger().release(purpose_, bytes_);
    bytes_ = bytes;
  }
  size_t bytes() const { return bytes_; }

 private:
  const Purpose purpose_;
  size_t bytes_ = 0;
};

}  // namespace peal::core
