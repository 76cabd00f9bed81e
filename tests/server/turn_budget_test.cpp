#include "server/turn_budget.hpp"

#include <doctest/doctest.h>

#include <array>

namespace peal::server {
namespace {

constexpr uint64_t per_turn = 6400;

TEST_CASE("turn budget: a turn is full when so much was done, and the next one is not") {
  TurnBudget budget(per_turn);
  uint32_t client = 0;
  for (int turn = 0; turn < 3; turn++) {
    budget.begin_turn(0);
    budget.begin_share(client);
    CHECK(budget.room_in_share(64, 0) == 100 + 1);
    budget.spend(per_turn - 1);
    CHECK(!budget.turn_is_full());
    CHECK(!budget.share_is_full());
    budget.spend(1);
    CHECK(budget.turn_is_full());
    CHECK(budget.share_is_full());
    CHECK(budget.room_in_share(64, 0) == 1);
    budget.begin_share(client);  // Whoever comes now may do one thing.
    CHECK(budget.share_is_full());
    CHECK(budget.room_in_share(64, 0) == 1);
    budget.spend(1000);  // By whom a full turn does not end; it is not the next one's.
  }
}

TEST_CASE("turn budget: those who wait share the turn") {
  TurnBudget budget(per_turn);
  uint32_t client = 0;
  budget.begin_turn(10);
  budget.begin_share(client);
  CHECK(budget.room_in_share(10, 0) == 64 + 1);
  budget.spend(per_turn / 10);
  CHECK(budget.share_is_full());
  CHECK(!budget.turn_is_full());
  budget.begin_share(client);
  CHECK(!budget.share_is_full());

  budget.begin_turn(1'000'000);  // There is a least share.
  budget.begin_share(client);
  CHECK(budget.room_in_share(1, 0) == per_turn / TurnBudget::shares_max + 1);
}

TEST_CASE("turn budget: who reads twice in a turn is one client") {
  TurnBudget budget(per_turn);
  std::array<uint32_t, 4> clients{};
  budget.begin_turn(0);
  for (int read = 0; read < 5; read++) {
    for (uint32_t& client : clients) budget.begin_share(client);
  }
  budget.begin_turn(2);
  budget.begin_share(clients[0]);
  CHECK(budget.room_in_share(1, 0) == per_turn / 4 + 1);
  budget.begin_turn(0);  // Now only one came.
  budget.begin_share(clients[0]);
  CHECK(budget.room_in_share(1, 0) == per_turn + 1);
}

TEST_CASE("turn budget: work elsewhere fills the share, not the turn") {
  TurnBudget budget(per_turn);
  uint32_t client = 0;
  budget.begin_turn(4);
  budget.begin_share(client);
  CHECK(budget.room_in_share(0, 16) == 100 + 1);
  CHECK(budget.room_in_share(16, 16) == 50 + 1);
  budget.spend_elsewhere(per_turn / 4);
  CHECK(budget.share_is_full());
  for (int i = 0; i < 8; i++) budget.spend_elsewhere(per_turn);
  CHECK(!budget.turn_is_full());
  budget.begin_share(client);
  CHECK(budget.room_in_share(0, 0) == SIZE_MAX);  // Nobody wants them.
}

}  // namespace
}  // namespace peal::server
