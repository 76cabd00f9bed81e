#pragma once
// The thread of one shard. It calls tick() when the thread would be awake, and never when it would
// sleep in wait(): a shard that was not woken stays asleep here as it would anywhere, and its
// clients find out.
//
//     tick()  ->  (the turn's own time, or a pause)  ->  enter: what was asked for is submitted
//       ^                                                              |
//       +---- a completion can be seen, or the deadline has passed <---+
//
// The deadline is asked for once, at the end of the turn, as a thread does that goes to sleep: what
// happens between that moment and the entering of the kernel must be told to the shard by a wake.

#include <algorithm>
#include <cstdint>
#include <string>

#include "tests/sim/reactor_sim.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

/// What a runner needs of a shard.
class Tickable {
 public:
  virtual ~Tickable() = default;
  virtual bool tick() = 0;  // False when it has stopped.
  virtual int64_t next_deadline_ns() const = 0;
  /// For its clients, in all. Grows in a turn that was worth it, though nothing came or went.
  virtual uint64_t work_done() const { return 0; }
};

class Runner : public Actor, private Sleeper {
 public:
  Runner(World& world, Tickable& shard, SimReactor& reactor)
      : world_(world), shard_(shard), reactor_(reactor) {
    reactor_.sleeper = this;
    world_.schedule(world_.now() + world_.delay(), *this, tick);
  }

  bool stopped() const { return stopped_; }
  uint64_t ticks() const { return ticks_; }

  /// Its thread is not run for so long, wherever it is.
  void hold(Time time) {
    held_until_ = world_.now() + time;
    world_.trace.note(world_.now(), Mark::hold, reactor_.handle(), time / us);
  }

  void release() { held_until_ = 0; }

  void run(uint32_t what, uint64_t argument) override {
    if (stopped_) return;
    if (world_.now() < held_until_) {
      const Time next = std::min(held_until_, world_.now() + 50 * ms);
      return world_.schedule(next, *this, what, argument);
    }
    switch (what) {
      case tick:
        return turn();
      case enter:
        return enter_kernel();
      case look:
        if (argument == look_) sleep_or_tick();
        return;
    }
  }

 private:
  enum What : uint32_t { tick, enter, look };

  void turn() {
    asleep_ = false;
    if (!reactor_.take_back())
      return world_.schedule(world_.now() + us + world_.delay(), *this, tick);
    ticks_++;
    const uint64_t in_flight = reactor_.submissions();
    const uint64_t done_before = shard_.work_done();
    reactor_.handed_over_last = 0;
    reactor_.in_turn = true;
    stopped_ = !shard_.tick();
    reactor_.in_turn = false;
    if (stopped_) return;
    world_.trace.note(world_.now(), Mark::tick, reactor_.handle(),
                      static_cast<int64_t>(reactor_.handed_over_last));
    reactor_.promised_deadline = shard_.next_deadline_ns();
    const bool polls = reactor_.promised_deadline <= world_.now();
    const bool idle = reactor_.handed_over_last == 0 && reactor_.submissions() == in_flight &&
                      shard_.work_done() == done_before;
    idle_turns_ = polls && idle ? idle_turns_ + 1 : 0;
    if (idle_turns_ > idle_turns_max) {
      World::fail("spin", "shard " + std::to_string(reactor_.handle()) +
                              " polls and polls and nothing comes of it");
    }
    // The turn's own time. A poller that finds nothing is slowed, or a pause of its neighbour would
    // be a million turns.
    Time took = us + world_.delay();
    if (idle_turns_ > 16) took = std::min<Time>(ms, took << std::min(idle_turns_ / 16, 10u));
    if (world_.chance.percent(world_.faults.shard_pause)) {
      const Time pause = world_.chance.skewed(0, world_.faults.pause_max);
      held_until_ = std::max(held_until_, world_.now() + pause);
      world_.trace.note(world_.now(), Mark::pause, reactor_.handle(), pause / us);
    }
    world_.schedule(world_.now() + took, *this, enter);
  }

  void enter_kernel() {
    world_.trace.note(
        world_.now(), Mark::enter, reactor_.handle(), static_cast<int64_t>(reactor_.submissions()),
        reactor_.promised_deadline == never ? -1
                                            : (reactor_.promised_deadline - world_.now()) / us);
    reactor_.end_turn();
    reactor_.submit();
    asleep_ = true;
    if (reactor_.promised_deadline > world_.now()) reactor_.lend();
    sleep_or_tick();
  }

  void sleep_or_tick() {
    if (!asleep_) return;
    const Time now = world_.now();
    const Time wanted = std::min<Time>(reactor_.promised_deadline, reactor_.next_visible());
    if (wanted <= now) {
      asleep_ = false;
      world_.schedule(now + world_.chance.between(0, world_.faults.quick_max), *this, tick);
    } else if (wanted < never) {
      world_.schedule(wanted, *this, look, ++look_);
    }
  }

  void on_completion_posted() override {
    if (!stopped_) sleep_or_tick();
  }

  // Some 400 ms of them, the way idle turns are slowed above.
  static constexpr unsigned idle_turns_max = 600;

  World& world_;
  Tickable& shard_;
  SimReactor& reactor_;
  Time held_until_ = 0;
  bool asleep_ = false;
  bool stopped_ = false;
  unsigned idle_turns_ = 0;
  uint64_t ticks_ = 0;
  uint64_t look_ = 0;
};

}  // namespace peal::sim
