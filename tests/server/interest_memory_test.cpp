// What the subject index takes from the allocator, and that it gives it back. In a binary of its
// own, because it counts every allocation.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "server/interest.hpp"
#include "tests/support/counted_allocator.hpp"

static size_t allocations = 0;

// The allocator's own size of each block is not portable, so only calls are counted.
void peal::on_allocation() noexcept { allocations++; }

namespace peal::server {
namespace {

// Under the address sanitizer each block stands apart, and figures mean nothing.
constexpr bool packed = core::BlockPool::default_layout == core::BlockPool::Layout::packed;
constexpr uint32_t many = packed ? 200000 : 20000;

std::string subject_of(uint32_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "orders.%05u.c%010u", number % 5000, number);
  return text;
}

struct Connections {
  explicit Connections(Interest& of) : interest(of), owned(100, no_subscription) {}

  void subscribe_all(const char* queue = "") {
    for (uint32_t i = 0; i < many; i++) {
      const uint32_t owner = i % 100;
      std::string filter = subject_of(i);
      if (i % 8 == 0) filter.replace(7, 5, "*");
      interest.subscribe(global_account, owner, owned[owner], std::to_string(i), filter, queue);
    }
  }
  void close_all() {
    uint32_t slice = 0;
    for (uint32_t& head : owned) {
      while (head != no_subscription) {
        interest.unsubscribe(*interest.at(head), head);
        if (++slice % 100 == 0) interest.reclaim();
      }
    }
    interest.reclaim();
  }

  Interest& interest;
  std::vector<uint32_t> owned;
};

TEST_CASE("interest: a match allocates nothing once its scratch memory has grown") {
  Interest interest(0, 2, 1);
  Connections connections(interest);
  connections.subscribe_all();
  uint32_t group = no_subscription;
  for (int i = 0; i < 50; i++) {
    interest.subscribe(global_account, 100, group, std::to_string(i), "orders.>", "q");
    interest.apply(1, {global_account, "orders.*.>", "q", static_cast<uint32_t>(i) + 1, 1});
  }
  std::mt19937 random(1);
  std::vector<std::string> hot, fresh;
  for (uint32_t i = 0; i < 1000; i++) {
    hot.push_back(subject_of(i));
    fresh.push_back(subject_of(random() % many));
  }
  for (int warm = 0; warm < 5; warm++) {
    for (const std::string& subject : hot) interest.match(global_account, subject);
  }
  for (uint32_t i = 0; i < 100; i++) interest.match(global_account, "orders.warm." + fresh[i]);

  const size_t before = allocations;
  size_t members = 0;
  for (int round = 0; round < 20; round++) {
    for (const std::string& subject : hot) {
      members += interest.match(global_account, subject).queues[0].here.size();
    }
  }
  CHECK(allocations == before);
  CHECK(members == 20 * 1000 * 50);
  const uint64_t insertions = interest.cache_stats().insertions;
  for (const std::string& subject : fresh) interest.match(global_account, subject);
  CHECK(allocations - before <= interest.cache_stats().insertions - insertions);
}

// By which the one who takes most is found when there is too little memory.
TEST_CASE(
    "interest: what a subscription is said to take is what it takes, however long its filter") {
  if (!packed) return;
  const std::string deep = [] {
    std::string text;
    for (int i = 0; i < 500; i++) text += ".x";
    return text;
  }();
  struct Kind {
    std::string name;
    std::string behind;
    const char* queue;
    uint32_t count;
  };
  const Kind kinds[] = {{"short", ".c0000001", "", 200'000},
                        {"long", "." + std::string(1000, 'x'), "", 20'000},
                        {"with a wildcard", ".c0000001.*", "", 100'000},
                        {"deep, with a wildcard", deep + ".*", "", 2000},
                        {"for a group", ".c0000001", "a-group-with-a-name", 100'000}};
  for (const Kind& kind : kinds) {
    CAPTURE(kind.name);
    Interest here(0, 2, 1), there(1, 2, 2);
    const size_t before = here.memory_bytes() + there.memory_bytes();
    uint32_t owned = no_subscription;
    size_t said_bytes = 0;
    for (uint32_t i = 0; i < kind.count; i++) {
      const std::string filter = std::to_string(1'000'000 + i) + kind.behind;
      const Subscription* const added =
          here.subscribe(global_account, 0, owned, std::to_string(i), filter, kind.queue);
      said_bytes += here.bytes_about(*added);
      InterestChange change;
      while (here.next_change(1, change)) {
        there.apply(0, change);
        here.taken(1);
      }
    }
    const size_t taken_bytes = here.memory_bytes() + there.memory_bytes() - before;
    MESSAGE(kind.name << ": said " << said_bytes / kind.count << ", taken "
                      << taken_bytes / kind.count << " bytes");
    CHECK(said_bytes > taken_bytes * 3 / 4);
    CHECK(said_bytes < taken_bytes * 3 / 2);
  }
}

TEST_CASE("interest: memory returns when all subscriptions go, here and on the other shard") {
  Interest here(0, 2, 1), there(1, 2, 2);
  const size_t idle_bytes = here.memory_bytes();
  Connections connections(here);
  const auto tell = [&] {
    InterestChange change;
    while (here.next_change(1, change)) {
      there.apply(0, change);
      here.taken(1);
    }
  };
  for (const char* queue : {"", "group"}) {
    connections.subscribe_all(queue);
    tell();
    const double here_bytes = static_cast<double>(here.memory_bytes()) / many;
    const double there_bytes = static_cast<double>(there.memory_bytes()) / many;
    MESSAGE(here_bytes << " + " << there_bytes << " bytes for each subscription");
    if (packed && *queue == '\0') {
      CHECK(here_bytes < 150);
      CHECK(here_bytes + there_bytes < 220);
    }
    connections.close_all();
    tell();
    CHECK(here.subscriptions() == 0);
    if (!packed) continue;
    CHECK(here.memory_bytes() < idle_bytes + 512 * 1024);
    CHECK(there.memory_bytes() < idle_bytes + 512 * 1024);
  }
}

}  // namespace
}  // namespace peal::server
