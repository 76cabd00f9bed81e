// Who may run a shard: each state by itself, then an owner who sleeps and several who have
// something for it, between threads. What they share is no atomic, so a sanitizer finds two who run
// it at once, and a wake that is lost shows as a test that does not end.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/baton.hpp"
#include "core/random.hpp"

namespace peal::core {
namespace {

TEST_CASE("nobody borrows from one who is awake, or about to sleep") {
  Baton baton;
  CHECK_FALSE(baton.borrow());
  CHECK_FALSE(baton.claim_wake());
  baton.announce();
  CHECK_FALSE(baton.borrow());
  baton.lend();
  CHECK(baton.borrow());
}

TEST_CASE("one of many must wake, and nothing is lent while that is on its way") {
  Baton baton;
  baton.announce();
  CHECK(baton.claim_wake());
  CHECK_FALSE(baton.claim_wake());
  baton.lend();
  CHECK_FALSE(baton.borrow());
  baton.take_back();
  CHECK_FALSE(baton.is_borrowed());

  baton.announce();
  baton.lend();
  CHECK(baton.claim_wake());
  CHECK_FALSE(baton.borrow());
}

TEST_CASE("a borrower is told who wants the shard meanwhile") {
  Baton baton;
  baton.announce();
  baton.lend();
  REQUIRE(baton.borrow());
  CHECK_FALSE(baton.borrow());
  CHECK(baton.is_borrowed());
  CHECK(baton.give_back(false));

  REQUIRE(baton.borrow());
  CHECK_FALSE(baton.claim_wake());  // The borrower sees to it.
  CHECK(baton.is_borrowed());
  CHECK_FALSE(baton.give_back(false));
  CHECK_FALSE(baton.claim_wake());

  baton.keep();
  baton.announce();
  baton.lend();
  REQUIRE(baton.borrow());
  CHECK_FALSE(baton.give_back(true));
  CHECK_FALSE(baton.borrow());
}

TEST_CASE("an owner who wakes waits for the borrower's turn to end") {
  Baton baton;
  int turns = 0;  // Of the shard: one thread at a time.
  baton.announce();
  baton.lend();
  REQUIRE(baton.borrow());
  std::thread owner([&] {
    baton.take_back();
    CHECK(turns == 1);
  });
  turns++;
  static_cast<void>(baton.give_back(false));  // The owner may want it already, or not yet.
  owner.join();
  CHECK_FALSE(baton.is_borrowed());
}

/// Sleeps until it is woken, or by chance for no reason: as a ring that has a completion.
class Bed {
 public:
  void sleep(Random& random) {
    if (random.below(4) == 0) return;
    while (wakes_.load() == 0) wakes_.wait(0);
    wakes_.store(0);
  }
  void wake() {
    wakes_.store(1);
    wakes_.notify_one();
  }

 private:
  std::atomic<uint32_t> wakes_{0};
};

TEST_CASE("nothing is lost, whoever runs the shard") {
  constexpr unsigned tellers = 3;
  constexpr uint64_t each = 40'000;
  Baton baton;
  Bed bed;
  std::array<std::atomic<uint64_t>, tellers> told{};
  std::array<uint64_t, tellers> read{};  // The shard's.
  uint64_t lent_turns = 0;
  std::atomic<bool> complete{false};  // Said by whoever ran the turn that read the last.

  const auto has_news = [&] {
    for (unsigned i = 0; i < tellers; i++) {
      if (told[i].load() != read[i]) return true;
    }
    return false;
  };
  const auto turn = [&] {
    for (unsigned i = 0; i < tellers; i++) read[i] = told[i].load();
    if (read != decltype(read){each, each, each}) return;
    complete.store(true);
    complete.notify_one();
  };
  const auto lent_turn = [&](Random& random) {
    turn();
    lent_turns++;
    const bool wanted = has_news() || random.below(16) == 0;
    if (!baton.give_back(wanted)) bed.wake();
  };

  std::vector<std::thread> threads;
  for (unsigned i = 0; i < tellers; i++) {
    threads.emplace_back([&, i] {
      Random random(i);
      // One at least is lent to each, however threads are run.
      while (!baton.borrow()) std::this_thread::yield();
      lent_turn(random);
      for (uint64_t n = 0; n < each; n++) {
        told[i].fetch_add(1);
        if (random.below(8) != 0 && baton.borrow()) {
          lent_turn(random);
        } else if (baton.claim_wake()) {
          bed.wake();
        }
      }
    });
  }
  std::thread owner([&] {
    Random random(99);
    while (!complete.load()) {
      turn();
      baton.announce();
      if (has_news() || complete.load()) {
        baton.keep();
        continue;
      }
      baton.lend();
      bed.sleep(random);
      baton.take_back();
    }
  });
  for (std::thread& thread : threads) thread.join();
  complete.wait(false);  // For ever, if a wake was lost.
  if (baton.claim_wake()) bed.wake();
  owner.join();
  MESSAGE("turns that were lent: " << lent_turns);
  CHECK(lent_turns >= tellers);
}

}  // namespace
}  // namespace peal::core
