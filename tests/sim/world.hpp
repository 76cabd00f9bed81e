#pragma once
// The simulated machine: one clock, one queue of events, descriptors, connections, and the chance
// that drives them. Shards' reactors (reactor_sim), their threads (runner) and the clients are
// actors in it. It knows descriptors and bytes, and nothing of what runs on it.
//
// One world lives on a thread at a time, and is what Reactor::create() finds there. All that
// happens is an event; an event happens at a simulated time and takes none. What takes time draws a
// delay, so the order of things that do not depend on each other is left to the seed.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/reactor.hpp"
#include "tests/sim/chance.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/link.hpp"
#include "tests/sim/trace.hpp"

namespace peal::sim {

class SimReactor;

class Actor {
 public:
  virtual ~Actor() = default;
  virtual void run(uint32_t what, uint64_t argument) = 0;
};

/// A promise was broken, or the seam misused. The kind is one word: "order", "liveness", "seam"...
struct Failure : std::runtime_error {
  Failure(std::string_view kind_, const std::string& text)
      : std::runtime_error(std::string(kind_) + ": " + text), kind(kind_) {}
  std::string kind;
};

/// A socket that listens. Connections wait in the backlog until somebody accepts them.
struct Listener {
  size_t backlog_max = 16;
  std::vector<Link*> backlog;
  SimReactor* reactor = nullptr;  // Whose accepts are in flight.
  std::vector<uint32_t> accept_ops;
  void poke() const;
};

class World : private Actor {
 public:
  explicit World(uint64_t seed, const Faults& faults = {});
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  static World& current();
  static World* current_or_null();

  [[noreturn]] static void fail(std::string_view kind, const std::string& text) {
    throw Failure(kind, text);
  }

  // ---- Time and events.
  Time now() const { return now_; }
  void schedule(Time when, Actor& actor, uint32_t what, uint64_t argument = 0);
  bool run_next();  // False when nothing will ever happen any more.
  uint64_t events_run() const { return events_run_; }
  /// A shard is in the middle of its turn, and its thread is not run for a while: the others are.
  void preempt();
  /// The clock leaps; nothing else happens meanwhile but that deadlines pass.
  void leap(Time by);
  Time leapt() const { return leapt_; }  // In all.
  /// How long a step takes that nothing forces to be quick.
  Time delay();

  // ---- Descriptors. The lowest free number is given out, as the kernel does: who uses one after
  // closing it meets somebody else's connection.
  int listen(size_t backlog_max);
  int open(Link& link);
  void close_descriptor(int descriptor);
  Link* link_of(int descriptor);
  Listener* listener_of(int descriptor);
  size_t descriptors_open() const;
  size_t descriptors_max = 1000;

  // ---- Connections, from the client's end. Null when the backlog is full.
  Link* connect(int listener, LinkClient& client, size_t up_bytes, size_t down_bytes);
  void reset(Link& link, const char* by_whom);
  Link& link(uint32_t id) { return *links_[id]; }
  size_t links() const { return links_.size(); }

  // ---- Reactors, by handle.
  SimReactor& add_reactor(const core::ReactorConfig& config);
  SimReactor* reactor(int handle);

  /// Ends all hostility, for good.
  void heal();
  bool healed() const { return healed_; }

  /// Set when something broke that could not throw where it was found; thrown at the next event.
  void fail_later(std::string_view kind, std::string text);

  uint64_t blocks_refused = 0;  // For want of memory.
  Chance chance;
  Faults faults;
  Kernel kernel;
  Trace trace;

 private:
  friend struct Link;
  struct Event {
    Time when;
    uint64_t order;
    Actor* actor;
    uint64_t argument;
    uint32_t what;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.when != b.when ? a.when > b.when : a.order > b.order;
    }
  };
  struct Descriptor {
    Link* link = nullptr;
    Listener* listener = nullptr;
    bool free() const { return link == nullptr && listener == nullptr; }
  };

  void run(uint32_t what, uint64_t argument) override;  // A reset whose byte has come.
  size_t lowest_free();

  Time now_;
  Time leapt_ = 0;
  uint64_t next_order_ = 0;
  uint64_t events_run_ = 0;
  bool healed_ = false;
  unsigned preempted_ = 0;  // Shards in the middle of a turn, but for the one that runs.
  std::string late_failure_kind_;
  std::string late_failure_;
  std::vector<Event> events_;  // A heap.
  std::vector<Descriptor> descriptors_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<SimReactor>> reactors_;  // Kept: events name them.
  World* outer_;
};

}  // namespace peal::sim
