#pragma once
// Takes newcomers from one listening socket and gives each to the shard with the fewest
// connections. It lives on the first shard. It knows descriptors and counts; it must never know a
// protocol.
//
// Placement is by load and not by hash, because a handful of busy connections must spread evenly.

#include <cstdint>

#include "core/clock.hpp"
#include "core/reactor.hpp"
#include "server/interest.hpp"

namespace peal::server {

class Shard;

class Listener {
 public:
  /// `index` names it among the listeners of its shard.
  Listener(Shard& shard, int descriptor, uint32_t index, Door door);

  /// Accepts, as many at a time as may come in a turn.
  void arm();
  void on_accept(const core::Completion& done);
  /// Accepts again after a pause that a lack of descriptors had forced.
  void on_turn(int64_t now_ns);
  int64_t next_ns() const { return retry_ns_; }
  /// Takes nobody any more. The socket is closed when the kernel has let go.
  void stop();
  bool stopped() const { return closed_; }

 private:
  // So many come in a turn at most: those who are there already are not kept waiting by a crowd.
  static constexpr uint32_t accepts_max = 16;
  static constexpr int64_t retry_min_ns = 10'000'000;
  static constexpr int64_t retry_max_ns = core::second_ns;

  void close_if_idle();
  void place(int descriptor);
  ShardId least_loaded();

  Shard& shard_;
  const int descriptor_;
  const core::Token token_;
  const Door door_;
  uint32_t accepts_ = 0;  // In flight.
  bool stopping_ = false;
  bool closed_ = false;
  int64_t retry_ns_ = INT64_MAX;
  int64_t pause_ns_ = retry_min_ns;
  ShardId last_placed_ = 0;
};

}  // namespace peal::server
