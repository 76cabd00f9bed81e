// What the subject index costs at a million subscriptions: a match with and without the cache, the
// coming and going of a subscription, and the memory of each.

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "server/interest.hpp"

namespace peal {
namespace {

using server::Interest;
using server::no_subscription;
using server::Plan;

constexpr uint32_t owners = 1000;

/// Of processor time, so that a busy machine shows less.
class Stopwatch {
 public:
  double ns() const { return now_ns() - start_ns_; }

 private:
  static double now_ns() {
    timespec now;
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  }
  double start_ns_ = now_ns();
};

size_t resident_bytes() {
  size_t all_pages = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> all_pages >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

void report(const char* name, size_t ops, double ns, uint64_t checksum) {
  std::printf("%-44s %10zu ops %9.1f ns/op  %016llx\n", name, ops, ns / static_cast<double>(ops),
              static_cast<unsigned long long>(checksum));
}

/// Three tokens, 24 bytes: "orders.00012.c0000012345" or so.
std::string subject_of(uint32_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "orders.%05u.c%010u", number % 50000, number);
  return text;
}

uint64_t sum_of(const Plan& plan) {
  uint64_t sum = plan.shards.size() + 7 * plan.queues.size();
  for (const auto* subscription : plan.plain) sum += reinterpret_cast<uintptr_t>(subscription);
  return sum;
}

struct Shard {
  Shard(server::ShardId here, server::ShardId shards)
      : interest(std::make_unique<Interest>(here, shards, 42)), owned(owners, no_subscription) {}
  std::unique_ptr<Interest> interest;
  std::vector<uint32_t> owned;
  std::vector<server::Subscription*> subscriptions;

  void subscribe(uint32_t number, const std::string& filter, const char* queue = "") {
    const uint32_t owner = number % owners;
    subscriptions.push_back(interest->subscribe(server::global_account, owner, owned[owner],
                                                std::to_string(number / owners + 1), filter,
                                                queue));
  }
  void unsubscribe(server::Subscription* subscription) {
    interest->unsubscribe(*subscription, owned[subscription->owner]);
  }
};

std::vector<std::string> filters_of(uint32_t count, bool wildcards) {
  std::vector<std::string> filters;
  for (uint32_t i = 0; i < count; i++) {
    filters.push_back(subject_of(i));
    // Every other one: a star in the middle, or at the end.
    if (wildcards && i % 2 == 1) {
      char text[48];
      std::snprintf(text, sizeof text, i % 4 == 1 ? "orders.%05u.c%06u.*" : "orders.%05u.*.c%06u",
                    i % 50000, i);
      filters.back() = text;
    }
  }
  return filters;
}

std::vector<std::string> subjects_of(uint32_t count, bool wildcards) {
  std::vector<std::string> subjects;
  std::mt19937_64 random(7);
  for (uint32_t k = 0; k < 500000; k++) {
    const auto i = static_cast<uint32_t>(random() % count);
    subjects.push_back(subject_of(i));
    if (wildcards && i % 2 == 1) {
      char text[48];
      std::snprintf(text, sizeof text, i % 4 == 1 ? "orders.%05u.c%06u.x" : "orders.%05u.x.c%06u",
                    i % 50000, i);
      subjects.back() = text;
    }
  }
  return subjects;
}

/// What one read of far memory costs here and now: the unit in which all that follows is spent.
void bench_memory() {
  struct alignas(64) Line {
    uint32_t next;
  };
  std::vector<Line> lines(2 * 1024 * 1024);
  std::vector<uint32_t> order(lines.size());
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(3));
  for (size_t i = 0; i < order.size(); i++) {
    lines[order[i]].next = order[(i + 1) % order.size()];
  }
  constexpr size_t reads = 2000000;
  uint32_t at = 0;
  Stopwatch watch;
  for (size_t i = 0; i < reads; i++) at = lines[at].next;
  report("interest/one read of 128 MiB of memory", reads, watch.ns(), at);
}

/// The slowest of many operations, without those during which the kernel gave the core to others.
class Slowest {
 public:
  template <class Operation>
  void time(Operation&& operation) {
    const double before = wall_ns();
    operation();
    const double ns = wall_ns() - before;
    if (ns <= slow_ns) return;
    const long now = preemptions();
    if (now == preemptions_) {
      slow_++;
      if (ns > 5 * slow_ns) very_slow_++;
      slowest_ns_ = std::max(slowest_ns_, ns);
    }
    preemptions_ = now;
  }
  void report(const std::string& name) const {
    std::printf("%-44s %10.1f us; %u above 20 us, %u above 100 us\n", name.c_str(),
                slowest_ns_ / 1000, slow_, very_slow_);
  }

 private:
  static constexpr double slow_ns = 20000;
  static double wall_ns() {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  }
  static long preemptions() {
    rusage usage;
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
  }
  long preemptions_ = preemptions();
  double slowest_ns_ = 0;
  uint32_t slow_ = 0, very_slow_ = 0;
};

/// Once more, one by one; and then the connections close.
void bench_slowest(Shard& shard, const std::string& prefix,
                   const std::vector<std::string>& filters) {
  const auto count = static_cast<uint32_t>(filters.size());
  shard.subscriptions.clear();
  Slowest subscribe, unsubscribe;
  for (uint32_t i = 0; i < count; i++) {
    subscribe.time([&] { shard.subscribe(i, filters[i]); });
  }
  subscribe.report(prefix + "subscribe, slowest");
  Stopwatch watch;
  uint32_t since = 0;
  for (uint32_t& owned : shard.owned) {
    while (owned != no_subscription) {
      unsubscribe.time([&] {
        shard.interest->unsubscribe(*shard.interest->at(owned), owned);
        if (++since % 64 == 0) shard.interest->reclaim();
      });
    }
  }
  report((prefix + "unsubscribe, connections close").c_str(), count, watch.ns(), since);
  unsubscribe.report(prefix + "unsubscribe, slowest");
}

void bench_million(const char* kind, uint32_t count, bool wildcards) {
  std::vector<std::string> filters = filters_of(count, wildcards);
  std::shuffle(filters.begin(), filters.end(), std::mt19937_64(3));
  // Fresh copies, so that the texts lie in the order of their use.
  filters = std::vector<std::string>(filters);
  Shard shard(0, 1);
  shard.subscriptions.reserve(count);
  std::vector<std::string> subjects = subjects_of(count, wildcards);
  const size_t resident_before = resident_bytes();
  const std::string prefix = std::string("interest/") + kind + "/";

  {
    Stopwatch watch;
    for (uint32_t i = 0; i < count; i++) shard.subscribe(i, filters[i]);
    report((prefix + "subscribe").c_str(), count, watch.ns(), shard.interest->subscriptions());
  }
  std::printf("%-44s %10.1f B/subscription, resident %.1f\n", (prefix + "memory").c_str(),
              static_cast<double>(shard.interest->memory_bytes()) / count,
              static_cast<double>(resident_bytes() - resident_before) / count);
  {
    uint64_t sum = 0;
    Stopwatch watch;
    for (const std::string& subject : subjects) sum += sum_of(shard.interest->match(0, subject));
    report((prefix + "match, not cached").c_str(), subjects.size(), watch.ns(), sum);
  }
  {
    uint64_t sum = 0;
    constexpr size_t hot = 1000, rounds = 1000;
    for (int warm = 0; warm < 3; warm++) {
      for (size_t i = 0; i < hot; i++) shard.interest->match(0, subjects[i]);
    }
    Stopwatch watch;
    for (size_t round = 0; round < rounds; round++) {
      for (size_t i = 0; i < hot; i++) sum += sum_of(shard.interest->match(0, subjects[i]));
    }
    report((prefix + "match, 1000 hot subjects").c_str(), hot * rounds, watch.ns(), sum);
    Stopwatch one;
    for (size_t i = 0; i < hot * rounds; i++) sum += sum_of(shard.interest->match(0, subjects[7]));
    report((prefix + "match, one hot subject").c_str(), hot * rounds, one.ns(), sum);
    const server::CacheStats& stats = shard.interest->cache_stats();
    std::printf("%-44s hits %llu misses %llu insertions %llu\n", (prefix + "cache").c_str(),
                static_cast<unsigned long long>(stats.hits),
                static_cast<unsigned long long>(stats.misses),
                static_cast<unsigned long long>(stats.insertions));
  }
  {
    std::shuffle(shard.subscriptions.begin(), shard.subscriptions.end(), std::mt19937_64(5));
    Stopwatch watch;
    uint32_t since = 0;
    for (server::Subscription* subscription : shard.subscriptions) {
      shard.unsubscribe(subscription);
      if (++since % 64 == 0) shard.interest->reclaim();
    }
    shard.interest->reclaim();
    report((prefix + "unsubscribe, random").c_str(), count, watch.ns(), since);
  }
  std::printf("%-44s %10zu bytes, resident grown %zd\n", (prefix + "memory after").c_str(),
              shard.interest->memory_bytes(),
              static_cast<ssize_t>(resident_bytes() - resident_before));
  bench_slowest(shard, prefix, filters);
}

void bench_two_shards(uint32_t count) {
  const std::vector<std::string> filters = filters_of(count, false);
  Shard here(0, 2), there(1, 2);
  here.subscriptions.reserve(count);
  Stopwatch watch;
  for (uint32_t i = 0; i < count; i++) {
    here.subscribe(i, filters[i]);
    if (i % 128 != 127 && i + 1 != count) continue;
    server::InterestChange change;
    while (here.interest->next_change(1, change)) {
      there.interest->apply(0, change);
      here.interest->taken(1);
    }
  }
  report("interest/two shards/subscribe and tell", count, watch.ns(), 0);
  std::printf("%-44s %10.1f + %.1f B/subscription\n", "interest/two shards/memory",
              static_cast<double>(here.interest->memory_bytes()) / count,
              static_cast<double>(there.interest->memory_bytes()) / count);
}

void bench_fan_out(uint32_t members) {
  Shard shard(0, 1);
  Slowest subscribe;
  for (uint32_t i = 0; i < members; i++) subscribe.time([&] { shard.subscribe(i, "news"); });
  std::shuffle(shard.subscriptions.begin(), shard.subscriptions.end(), std::mt19937_64(5));
  Stopwatch watch;
  uint64_t sum = 0;
  const size_t rounds = std::max<size_t>(3, 10000000 / members);
  for (size_t round = 0; round < rounds; round++) {
    shard.unsubscribe(shard.subscriptions.back());
    shard.subscriptions.pop_back();
    shard.interest->reclaim();
    shard.subscribe(static_cast<uint32_t>(members + round), "news");
    sum += shard.interest->match(0, "news").plain.size();
  }
  const double ns = watch.ns();
  char name[64];
  std::snprintf(name, sizeof name, "interest/fan-out/%u, churn and match", members);
  report(name, rounds, ns, sum);
  std::printf("%-44s %10.3f ns\n", "  per member", ns / static_cast<double>(rounds) / members);
  subscribe.report("  subscribe, slowest");
}

}  // namespace
}  // namespace peal

int main(int, char**) {
  using namespace peal;
  const char* const small = std::getenv("PEAL_BENCH_SMALL");
  const uint32_t count = small != nullptr ? 10000 : 1000000;
  bench_memory();
  bench_million("literal", count, false);
  bench_million("half wildcard", count, true);
  bench_two_shards(count);
  for (uint32_t members = 1; members <= count; members *= 100) bench_fan_out(members);
  return 0;
}
