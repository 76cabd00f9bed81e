// How a shard leaves: a lame duck lets its clients go one by one, a stopping one all at once.

#include <algorithm>

#include "server/shard.hpp"

namespace peal::server {
namespace {

using core::millisecond_ns;
using core::second_ns;

// A lame duck looks so often whether all shards are empty.
constexpr int64_t lame_duck_look_ns = 100 * millisecond_ns;
constexpr int64_t lame_duck_gap_max_ns = second_ns;

// A stopping server gives its clients so long to take their last bytes.
constexpr int64_t stopping_look_ns = 10 * millisecond_ns;
constexpr int64_t stop_within_ns = second_ns;

}  // namespace

void Shard::follow_phase() {
  const Phase phase = state_.phase.load(std::memory_order_acquire);
  if (phase != phase_) {
    phase_ = phase;
    if (phase == Phase::lame_duck) enter_lame_duck();
    if (phase == Phase::stopping) stop_all();
  }
  if (phase_ == Phase::lame_duck) close_next_lame_ducks();
  if (phase_ == Phase::stopping && now_ns() >= stop_by_ns_) {
    stop_by_ns_ = INT64_MAX;
    for (const auto& connection : connections_) {
      if (connection) connection->abandon();
    }
  }
}

void Shard::enter_lame_duck() {
  for (const auto& listener : listeners_) listener->stop();
  // With nobody to be told there is nothing to wait for.
  const bool is_empty = state_.connections() == 0;
  lame_duck_next_ns_ = now_ns() + (is_empty ? 0 : options().lame_duck_grace_period.count());
  lame_duck_end_ns_ = now_ns() + options().lame_duck_duration.count();
  for (const auto& connection : connections_) {
    if (connection && connection->open() && connection->takes_info()) connection->send_info(false);
  }
}

// After the grace period clients are let go one by one, evenly over the time that is left, with
// some chance in the gaps so that they do not come back elsewhere in step.
void Shard::close_next_lame_ducks() {
  if (now_ns() >= lame_duck_next_ns_) {
    const auto next = std::find_if(connections_.begin(), connections_.end(),
                                   [](const auto& each) { return each && each->open(); });
    if (next != connections_.end()) {
      (*next)->close(CloseReason::lame_duck);
      const int64_t left_ns = std::max<int64_t>(0, lame_duck_end_ns_ - now_ns());
      const int64_t gap_ns =
          std::min(left_ns / static_cast<int64_t>(connections_open_), lame_duck_gap_max_ns);
      const auto jitter_us = static_cast<uint32_t>(gap_ns / 2000 + 1);
      lame_duck_next_ns_ = now_ns() + gap_ns / 2 + int64_t{random_.below(jitter_us)} * 1000;
    } else if (state_.connections() == 0) {
      state_.phase.store(Phase::stopping, std::memory_order_release);
    } else {
      lame_duck_next_ns_ = now_ns() + lame_duck_look_ns;
    }
  }
}

void Shard::stop_all() {
  for (const auto& listener : listeners_) listener->stop();
  stop_by_ns_ = now_ns() + stop_within_ns;
  for (const auto& connection : connections_) {
    if (connection) connection->close(CloseReason::server_shutdown);
  }
}

// Not while somebody may still be sent here, or from here: a newcomer may wait in the side list.
bool Shard::finished() const {
  return phase_ == Phase::stopping && connections_open_ == 0 && dirty_.empty() &&
         std::ranges::all_of(listeners_, &Listener::stopped) &&
         !state_.accepting.load(std::memory_order_acquire) && state_.connections() == 0;
}

void Shard::give_time_to_stop() {
  if (stop_by_ns_ != INT64_MAX) stop_by_ns_ = now_ns() + stop_within_ns;
}

int64_t Shard::leaving_deadline_ns() const {
  switch (phase_) {
    case Phase::running:
      return INT64_MAX;
    case Phase::lame_duck:
      return std::min(lame_duck_next_ns_, now_ns() + lame_duck_look_ns);
    case Phase::stopping:
      return std::min(stop_by_ns_, now_ns() + stopping_look_ns);
  }
  __builtin_unreachable();
}

}  // namespace peal::server
