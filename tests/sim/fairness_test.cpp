// Goal: every member of a queue group has the same chance, wherever it is and wherever publishers
// are. Method: four members on one shard and one on another, publishers on all three, no faults.

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "tests/sim/client.hpp"
#include "tests/sim/peal_server.hpp"
#include "tests/sim/runner.hpp"

using namespace peal::sim;

namespace {

constexpr int messages_each = 1000;

class Member : public Client {
 public:
  using Client::Client;
  int count = 0;

 private:
  bool act() override {
    sub("work", "workers");
    flush();
    return false;
  }
  void on_message(const Message&, Subscription&) override { count++; }
};

class Giver : public Client {
 public:
  using Client::Client;
  bool may_begin = false;

 private:
  bool act() override {
    if (!may_begin) return true;
    for (int i = 0; i < 50; i++) pub("work", 20);
    left_ -= 50;
    if (left_ == 0) flush();
    return left_ > 0;
  }
  int left_ = messages_each;
};

}  // namespace

TEST_CASE("server: every member of a queue group has the same chance") {
  Scenario scenario;
  scenario.shards = 3;
  World world(7);
  Oracle oracle(world);
  const auto server = make_peal_server(world, scenario);
  std::vector<std::unique_ptr<Runner>> runners;
  for (unsigned i = 0; i < server->shards(); i++) {
    runners.push_back(std::make_unique<Runner>(world, server->shard(i),
                                               *world.reactor(server->reactor_handle(i))));
  }
  Stage stage{world, oracle, scenario, server->listener()};
  Habits habits;
  std::vector<std::unique_ptr<Member>> members;
  std::vector<std::unique_ptr<Giver>> givers;
  const auto run_for = [&](Time time) {
    for (const Time end = world.now() + time; world.now() < end && world.run_next();) {
    }
  };
  // Newcomers go to the shards in turn, so every third one is on the same.
  const auto connect = [&](auto& list) {
    list.push_back(
        std::make_unique<typename std::decay_t<decltype(list)>::value_type::element_type>(stage,
                                                                                          habits));
    list.back()->start(world.now());
    run_for(10 * ms);
  };
  for (int i = 0; i < 4; i++) {
    connect(members);
    if (i == 0) {
      connect(members);
    } else {
      connect(givers);
    }
    connect(givers);
  }
  for (const auto& giver : givers) giver->may_begin = true;
  run_for(20 * sec);

  int sum = 0;
  for (const auto& member : members) sum += member->count;
  REQUIRE(sum == messages_each * static_cast<int>(givers.size()));
  const int share = sum / static_cast<int>(members.size());
  for (const auto& member : members) {
    CAPTURE(member->count);
    CHECK(member->count > share * 8 / 10);
    CHECK(member->count < share * 12 / 10);
  }
}
