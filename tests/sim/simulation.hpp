#pragma once
// One seed from beginning to end: a world, a server in it, clients, and the phases in which things
// go wrong, heal, and must then be right.
//
//   chaos       clients follow their scripts under all faults, until they are done or time is up
//   healing     no more faults; nobody begins anything new; every PING must get its PONG
//   late        clients who behave do what the seed is about, now that nothing but the server can
//   be
//               slow: what waits for room or for other shards may not wait for a timer to rouse it
//   probe       newcomers must be served, each by each, also by shards that are fast asleep
//   settling    flushes until nothing is published any more, then once more after a pause; now
//               everything owed must have come
//   leaving     everybody goes; the server must be as it was at the start
//   stopping    the shards end, in one of several ways, and leave nothing
//
// Some seeds stop the server in the midst of the chaos instead.
//
// It knows servers only as something that has shards, so that it can be tried on one that is known
// to be right, and on that one with known mistakes (reference_broker.hpp).

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/client.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/runner.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

/// A server in the world. Its shards' reactors are made in it.
class ServerUnderTest {
 public:
  virtual ~ServerUnderTest() = default;
  virtual unsigned shards() const = 0;
  virtual Tickable& shard(unsigned index) = 0;
  virtual int reactor_handle(unsigned index) const = 0;
  virtual int listener() const = 0;
  /// What is left of clients, in words; empty when there is nothing.
  virtual std::string leftovers() const = 0;
  /// From another thread, so to speak: the shards should end.
  virtual void stop() = 0;
  /// When no shard runs any more: what nobody has read is let go of.
  virtual void after_stop() {}
  /// The same, in peace. False when it cannot.
  virtual bool lame_duck() { return false; }
  /// Whether it has a deadline for writing, and keeps to it.
  virtual bool cuts_off() const { return false; }
  /// A reload changes what `rex` may do and whether there is a `gus`; see identity.hpp.
  virtual void change_rules(bool /*rex_denied*/, bool /*gus_there*/) {}
  /// The number of the denial that is in force on all shards; 0 when none is, or not everywhere.
  virtual uint64_t denial() const { return 0; }
  /// Whether it has more memory in use than it may, and so slows down who publishes.
  virtual bool over_budget() const { return false; }
  /// As if some shard had hardly any room for subscriptions left.
  virtual void fill_an_index(bool /*full*/) {}
  /// How often it has held a publisher, for a subscriber that is slow.
  virtual uint64_t stalls() const { return 0; }
  /// Whether it has a use for users.
  virtual bool has_accounts() const { return false; }
  /// Whether it offers the framing binary/1.
  virtual bool speaks_frames() const { return false; }
  /// Adds how often the server went which way. A way that no seed takes is not tested.
  virtual void count_ways(std::map<std::string, uint64_t>&) const {}
};

using MakeServer =
    std::function<std::unique_ptr<ServerUnderTest>(World& world, const Scenario& scenario)>;

struct Outcome {
  std::string failure;  // Empty when all went well; else what to print.
  std::string kind;
  uint64_t hash = 0;
  uint64_t events = 0;
  uint64_t deliveries = 0;
  uint64_t refusals = 0;
  uint64_t owed = 0;
  uint64_t ticks = 0;
  std::map<std::string, uint64_t> ways;  // As ServerUnderTest counts them.
};

/// Runs one seed.
Outcome simulate(uint64_t seed, const MakeServer& make_server);
Outcome simulate(const Scenario& scenario, const MakeServer& make_server);

}  // namespace peal::sim
