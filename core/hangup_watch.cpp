#include "core/hangup_watch.hpp"

namespace peal::core {

void HangupWatch::on_recv(int descriptor, Token token) {
  if (token.slot >= slots_max) return;
  if (token.slot >= armed_.size()) armed_.resize(token.slot + 1);
  armed_[token.slot].descriptor = descriptor;
  armed_[token.slot].generation = token.generation;
}

void HangupWatch::on_bytes(Token token, int64_t now_ns) {
  if (token.slot >= armed_.size()) return;
  Armed& armed = armed_[token.slot];
  if (armed.queued) return;
  armed.queued = true;
  if (slots_.empty()) due_ns_ = now_ns + delay_ns;
  slots_.push_back(token.slot);
}

void HangupWatch::ask() {
  polled_.clear();
  for (const uint32_t slot : slots_) polled_.push_back({armed_[slot].descriptor, POLLRDHUP, 0});
  // The kernel takes as many as a process may have open, which is more than there are.
  if (::poll(polled_.data(), polled_.size(), 0) >= 0) return;
  for (pollfd& each : polled_) each.revents = 0;
}

}  // namespace peal::core
