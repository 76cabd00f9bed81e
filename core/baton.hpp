#pragma once
// Who may run a shard now. Its own thread does, but while that sleeps in the kernel it lends the
// shard: whoever has a little to tell it may borrow it, run one turn of it on his own thread, and
// give it back, which saves the waking of a thread. It knows no shard; Reactor::wait() lends and
// takes back, and ShardLink::end_turn() borrows.
//
//     held --announce()--> announced --lend()--> lent --borrow()--> borrowed
//      ^ ^                     |  |                |                  |   ^
//      | +-------keep()--------+  |                |         give_back|   |borrow's end
//      +----- claim_wake(): the claimer wakes the owner ---+          v   |
//      +------------------------------ give_back() == false ------- wanted
//
// All accesses are sequentially consistent: what one holder wrote is there for the next, and an
// owner who announces his sleep and then looks for news misses none (see mesh.hpp).

#include <atomic>
#include <cstdint>

namespace peal::core {

class Baton {
 public:
  // ---- By the owner's thread.

  /// It is about to sleep: from now on it has to be woken, but it may still look and touch.
  void announce() { state_.store(State::announced, std::memory_order_seq_cst); }
  /// It will not sleep after all. A wake may be on its way.
  void keep() { state_.store(State::held, std::memory_order_seq_cst); }

  /// It touches nothing more until take_back(). Nothing is lent if somebody has claimed the wake.
  void lend() {
    State seen = State::announced;
    state_.compare_exchange_strong(seen, State::lent, std::memory_order_seq_cst);
  }
  /// It is awake. Waits for the turn of a borrower to end, which is bounded.
  void take_back();

  // ---- By other threads.

  /// True for the one caller who must wake the owner. Whoever runs the shard in its place is told
  /// to see to it.
  bool claim_wake();

  /// True: the caller runs the shard now, and gives it back soon.
  bool borrow() {
    State seen = State::lent;
    return state_.load(std::memory_order_relaxed) == State::lent &&
           state_.compare_exchange_strong(seen, State::borrowed, std::memory_order_seq_cst);
  }
  /// False: the owner is wanted, by `wanted` or by somebody else meanwhile, and the caller must
  /// wake it.
  [[nodiscard]] bool give_back(bool wanted);

  /// Whether somebody has borrowed it now.
  bool is_borrowed() const {
    const State state = state_.load(std::memory_order_seq_cst);
    return state == State::borrowed || state == State::wanted;
  }

 private:
  enum class State : uint32_t { held, announced, lent, borrowed, wanted };

  void await_end_of_loan();

  std::atomic<State> state_{State::held};
};

}  // namespace peal::core
