#include "core/baton.hpp"

namespace peal::core {

void Baton::take_back() {
  State seen = state_.load(std::memory_order_seq_cst);
  while (seen != State::held) {
    switch (seen) {
      case State::wanted:
        state_.wait(State::wanted, std::memory_order_seq_cst);
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
  state_.store(State::held, std::memory_order_seq_cst);
  state_.notify_one();
  return false;
}

}  // namespace peal::core
