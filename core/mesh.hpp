#pragma once
// All mailboxes between the shards of a process, and the waking of sleepers. Between each ordered
// pair of shards run two lanes: one for data, bounded by budget and backpressure, and one for
// control, which is always drained to its end. It knows bytes and shards; it must never know what a
// record means.
//
// A shard that is about to sleep says so, then looks at its lanes once more; a producer publishes,
// then looks whether the consumer sleeps. Both sides use sequentially consistent accesses, so one
// of the two sees the other, and no wake-up is lost. Only sleepers are woken, once a turn; or not
// even they, where the producer runs their turn himself (see baton.hpp).

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/baton.hpp"
#include "core/mailbox.hpp"

namespace peal::core {

enum class Lane : uint8_t { data, control };

/// A shard, for those who run it while its own thread sleeps.
class Lendable {
 public:
  /// One turn, by whoever has borrowed its baton. False when there is more to do than is for a
  /// borrower, and its own thread is wanted.
  virtual bool run_lent_turn() = 0;

 protected:
  ~Lendable() = default;
};

class Mesh {
 public:
  Mesh(unsigned shards, size_t data_bytes, size_t control_bytes);

  unsigned shards() const { return shards_; }
  Mailbox& mailbox(Lane lane, unsigned from, unsigned to) {
    return *(lane == Lane::data ? data_ : control_)[from * shards_ + to];
  }

  /// The shard itself, and how its reactor is named in wake(). Set once, before any other shard
  /// runs a turn.
  void join(unsigned shard, Lendable& itself, int handle);
  int handle(unsigned shard) const { return sleepers_[shard].handle; }

  // ---- Acknowledgements have slots of their own, so giving one never needs room.

  /// By whoever runs `by`: everything that `of` said on its control lane up to `epoch` is in force.
  void acknowledge(unsigned by, unsigned of, uint64_t epoch) {
    acknowledged_[by * shards_ + of].epoch.store(epoch, std::memory_order_seq_cst);
  }
  uint64_t acknowledged(unsigned by, unsigned of) const {
    return acknowledged_[by * shards_ + of].epoch.load(std::memory_order_seq_cst);
  }

  // ---- Sleep.

  Baton& baton(unsigned shard) { return sleepers_[shard].baton; }

  /// That `shard` reads what it was shown. It does so by itself if it is awake; if it sleeps, a
  /// turn of it is run here and now where `run_here` says so. True when neither is enough, and the
  /// caller must wake it.
  bool see_to(unsigned shard, bool run_here) {
    Baton& baton = sleepers_[shard].baton;
    if (run_here && baton.borrow())
      return !baton.give_back(!sleepers_[shard].itself->run_lent_turn());
    return baton.claim_wake();
  }

 private:
  struct alignas(cache_line_bytes) Sleeper {
    Baton baton;
    int handle = -1;
    Lendable* itself = nullptr;
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
