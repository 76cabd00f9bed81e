// Goal: the first PING comes two seconds after CONNECT to whoever flushed at once, too, as all
// clients do. Method: machines of any age. On one that had not run for an hour yet, a connection
// that had never been asked counted as asked at the clock's zero, and so as asked of late.

#include <doctest/doctest.h>

#include "tests/sim/client.hpp"
#include "tests/sim/peal_server.hpp"
#include "tests/sim/runner.hpp"

using namespace peal::sim;

namespace {

class Newcomer : public Client {
 public:
  using Client::Client;

 private:
  bool act() override {
    flush();
    return false;
  }
};

unsigned pings_within(uint64_t seed, Time time) {
  Scenario scenario;
  World world(seed);
  Oracle oracle(world);
  const auto server = make_peal_server(world, scenario);
  Runner runner(world, server->shard(0), *world.reactor(server->reactor_handle(0)));
  Stage stage{world, oracle, scenario, server->listener()};
  Newcomer newcomer(stage, Habits());
  newcomer.start(world.now());
  for (const Time end = world.now() + time; world.now() < end && world.run_next();) {
  }
  CHECK_FALSE(newcomer.gone());
  return newcomer.pings_asked();
}

}  // namespace

TEST_CASE("server: the first PING comes soon after CONNECT, however young the machine is") {
  int young = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    young += World(seed).now() < 3600 * sec;
    CAPTURE(seed);
    CHECK(pings_within(seed, 3 * sec) == 1);
  }
  CHECK(young > 0);
}
