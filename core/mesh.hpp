#pragma once
// All mailboxes between the shards of a process, and the waking of sleepers. Between each ordered
// pair of shards run two lanes: one for data, bounded by budget and backpressure, and one for
// control, which is always drained to its end. It knows bytes and shards; it must never know what a
// record means.
//
// A shard that is about to sleep says so, then looks at its lanes once more; a producer publishes,
// then looks whether the consumer sleeps. Both sides use sequentially consistent accesses, so one
// of the two sees the other, and no wake-up is lost. Only sleepers are woken, once a turn.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/mailbox.hpp"

namespace peal::core {

enum class Lane : uint8_t { data, control };

class Mesh {
 public:
  Mesh(unsigned shards, size_t data_bytes, size_t control_bytes);

  unsigned shards() const { return shards_; }
  Mailbox& mailbox(Lane lane, unsigned from, unsigned to) {
    return *(lane == Lane::data ? data_ : control_)[from * shards_ + to];
  }

  /// How the shard's reactor is named in wake(). Set once, before any other shard runs a turn.
  void set_handle(unsigned shard, int handle);
  int handle(unsigned shard) const { return sleepers_[shard].handle; }

  // ---- Acknowledgements have slots of their own, so giving one never needs room.

  /// By `by`'s thread: everything that `of` said on its control lane up to `epoch` is in force.
  void acknowledge(unsigned by, unsigned of, uint64_t epoch) {
    acknowledged_[by * shards_ + of].epoch.store(epoch, std::memory_order_seq_cst);
  }
  uint64_t acknowledged(unsigned by, unsigned of) const {
    return acknowledged_[by * shards_ + of].epoch.load(std::memory_order_seq_cst);
  }

  // ---- Sleep.

  void set_asleep(unsigned shard, bool asleep) {
    sleepers_[shard].asleep.store(asleep, std::memory_order_seq_cst);
  }
  /// True for the one caller who must wake it.
  bool claim_wake(unsigned shard) {
    std::atomic<bool>& asleep = sleepers_[shard].asleep;
    return asleep.load(std::memory_order_seq_cst) &&
           asleep.exchange(false, std::memory_order_seq_cst);
  }

 private:
  struct alignas(cache_line_bytes) Sleeper {
    std::atomic<bool> asleep{false};
    int handle = -1;
  };
  struct alignas(cache_line_bytes) Acknowledged {
    std::atomic<uint64_t> epoch{0};
  };

  const unsigned shards_;
  std::vector<std::unique_ptr<Mailbox>> data_;
  std::vector<std::unique_ptr<Mailbox>> control_;
  std::vector<Sleeper> sleepers_;
  std::vector<Acknowledged> acknowledged_;
};

}  // namespace peal::core
