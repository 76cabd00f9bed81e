#include "core/baton.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace peal::core {

// A lent turn is done in a few microseconds, unless its borrower is stopped.
static constexpr unsigned looks_before_sleep = 256;

static void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// std::atomic's wait yields the processor before it sleeps, and whoever is given it by a yield
// keeps it for milliseconds.
void Baton::await_end_of_loan() {
  for (unsigned looks = 0; looks < looks_before_sleep; looks++) {
    if (state_.load(std::memory_order_seq_cst) != State::wanted) return;
    pause_processor();
  }
  ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, State::wanted, nullptr, nullptr, 0);
}

void Baton::take_back() {
  State seen = state_.load(std::memory_order_seq_cst);
  while (seen != State::held) {
    switch (seen) {
      case State::wanted:
        await_end_of_loan();
        seen = state_.load(std::memory_order_seq_cst);
        break;
      case State::borrowed:
        state_.compare_exchange_strong(seen, State::wanted, std::memory_order_seq_cst);
        break;
      default:
        if (state_.compare_exchange_strong(seen, State::held, std::memory_order_seq_cst)) return;
    }
  }
}

bool Baton::claim_wake() {
  State seen = state_.load(std::memory_order_seq_cst);
  for (;;) {
    switch (seen) {
      case State::held:
      case State::wanted:
        return false;
      case State::borrowed:
        if (state_.compare_exchange_strong(seen, State::wanted, std::memory_order_seq_cst)) {
          return false;
        }
        break;
      case State::announced:
      case State::lent:
        if (state_.compare_exchange_strong(seen, State::held, std::memory_order_seq_cst)) {
          return true;
        }
        break;
    }
  }
}

bool Baton::give_back(bool wanted) {
  State seen = State::borrowed;
  if (!wanted && state_.compare_exchange_strong(seen, State::lent, std::memory_order_seq_cst)) {
    return true;
  }
  if (state_.exchange(State::held, std::memory_order_seq_cst) == State::wanted) {
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  return false;
}

}  // namespace peal::core
