// What the subject index costs from a thousand subscriptions to a million: a match with and without
// the cache, the coming and going of a subscription, the slowest of them, and the memory of each.

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "perf/bench.hpp"
#include "server/interest.hpp"

namespace peal {
namespace {

using server::Interest;
using server::no_subscription;

constexpr uint32_t owners = 1000;
constexpr uint32_t reclaim_every = 64;  // Subscriptions; a shard does so once a turn.

struct Kind {
  const char* name;
  bool wildcards;
};
constexpr Kind kinds[] = {{"literal", false}, {"wildcard", true}};

struct Scale {
  const char* name;
  uint32_t subscriptions;
};
constexpr Scale scales[] = {{"1k", 1000}, {"100k", 100'000}, {"1M", 1'000'000}};

/// Three tokens, 24 bytes. With wildcards, every other filter has a star in the middle or at the
/// end, which is `star` in a subject.
std::string text_of(uint32_t number, bool wildcards, char star) {
  const uint32_t branch = number % 50'000;
  char text[48];
  if (!wildcards || number % 2 == 0) {
    std::snprintf(text, sizeof text, "orders.%05u.c%010u", branch, number);
  } else if (number % 4 == 1) {
    std::snprintf(text, sizeof text, "orders.%05u.c%06u.%c", branch, number, star);
  } else {
    std::snprintf(text, sizeof text, "orders.%05u.%c.c%06u", branch, star, number);
  }
  return text;
}

/// In an order of no meaning, with the texts lying in the order of their use.
std::vector<std::string> filters_of(uint32_t count, bool wildcards) {
  std::vector<uint32_t> numbers(count);
  for (uint32_t i = 0; i < count; i++) numbers[i] = i;
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(3));
  std::vector<std::string> filters;
  filters.reserve(count);
  for (const uint32_t number : numbers) filters.push_back(text_of(number, wildcards, '*'));
  return filters;
}

std::vector<std::string> subjects_of(uint32_t count, bool wildcards) {
  constexpr uint32_t subjects_max = 500'000;
  std::vector<std::string> subjects;
  std::mt19937_64 random(7);
  for (uint32_t i = 0; i < std::min(count, subjects_max); i++) {
    subjects.push_back(text_of(static_cast<uint32_t>(random() % count), wildcards, 'x'));
  }
  return subjects;
}

/// An interest index and what its connections would hold.
class Index {
 public:
  explicit Index(server::ShardId here = 0, server::ShardId shards = 1)
      : interest(here, shards, 42), owned(owners, no_subscription) {}

  server::Subscription* subscribe(uint32_t number, const std::string& filter) {
    const uint32_t owner = number % owners;
    char sid[16];
    const int digits = std::snprintf(sid, sizeof sid, "%u", number / owners + 1);
    return interest.subscribe(server::global_account, owner, owned[owner],
                              {sid, static_cast<size_t>(digits)}, filter, "");
  }
  void unsubscribe(server::Subscription* subscription) {
    interest.unsubscribe(*subscription, owned[subscription->owner]);
    if (++since_reclaim_ % reclaim_every == 0) interest.reclaim();
  }
  uint64_t matches(const std::string& subject) {
    return interest.match(server::global_account, subject).plain.size();
  }

  Interest interest;
  std::vector<uint32_t> owned;

 private:
  uint32_t since_reclaim_ = 0;
};

std::vector<server::Subscription*> fill(Index& index, const std::vector<std::string>& filters) {
  std::vector<server::Subscription*> subscriptions;
  subscriptions.reserve(filters.size());
  for (uint32_t i = 0; i < filters.size(); i++) {
    subscriptions.push_back(index.subscribe(i, filters[i]));
  }
  return subscriptions;
}

/// The slowest of many operations, without those during which the kernel gave the core to others.
class Slowest {
 public:
  template <typename Operation>
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
  void report(perf::Sample& sample) const {
    sample.figure("slowest_us", slowest_ns_ / 1000);
    sample.figure("above_20us", slow_);
    sample.figure("above_100us", very_slow_);
  }

 private:
  static constexpr double slow_ns = 20'000;
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

/// What one read of far memory costs here and now: the unit in which all that follows is spent.
void bench_memory(perf::Runner& run) {
  struct alignas(64) Line {
    uint32_t next;
  };
  const char* const name = "interest/one-read-of-128MiB";
  if (!run.wants(name) || run.smoke()) return;
  std::vector<Line> lines(2 * 1024 * 1024);
  std::vector<uint32_t> order(lines.size());
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(3));
  for (size_t i = 0; i < order.size(); i++) {
    lines[order[i]].next = order[(i + 1) % order.size()];
  }
  run.bench(name, [&](perf::Sample& sample) {
    sample.measure([&] {
      perf::Work work;
      uint32_t at = 0;
      for (; work.ops < 2'000'000; work.ops++) at = lines[at].next;
      work.checksum = at;
      return work;
    });
  });
}

/// Benches over one set of filters, which are made when the first of them wants them.
class IndexBenches {
 public:
  IndexBenches(perf::Runner& run, const Scale& scale, const Kind& kind)
      : run_(run),
        count_(scale.subscriptions),
        wildcards_(kind.wildcards),
        prefix_(std::string("interest/") + scale.name + "/" + kind.name + "/") {}

  void all() {
    bench("subscribe", [this](auto& sample) { subscribe(sample); });
    bench("subscribe-one-by-one", [this](auto& sample) { subscribe_slowest(sample); });
    bench("unsubscribe", [this](auto& sample) { unsubscribe(sample); });
    bench("close", [this](auto& sample) { close(sample); });
    bench("match-uncached", [this](auto& sample) { match_uncached(sample); });
    bench("match-1000-hot", [this](auto& sample) { match_hot(sample, 1000); });
    bench("match-1-hot", [this](auto& sample) { match_hot(sample, 1); });
  }

 private:
  void bench(const char* name, const perf::Runner::Body& body) {
    if (run_.wants(prefix_ + name) && filters_.empty()) {
      filters_ = filters_of(count_, wildcards_);
      subjects_ = subjects_of(count_, wildcards_);
    }
    run_.bench(prefix_ + name, body);
  }

  void subscribe(perf::Sample& sample) {
    Index index;
    sample.measure([&] {
      for (uint32_t i = 0; i < count_; i++) index.subscribe(i, filters_[i]);
      return perf::Work{count_, index.interest.subscriptions()};
    });
    sample.figure("bytes_per_subscription",
                  static_cast<double>(index.interest.memory_bytes()) / count_);
  }

  void subscribe_slowest(perf::Sample& sample) {
    Index index;
    Slowest slowest;
    sample.measure([&] {
      for (uint32_t i = 0; i < count_; i++) {
        slowest.time([&] { index.subscribe(i, filters_[i]); });
      }
      return perf::Work{count_, index.interest.subscriptions()};
    });
    slowest.report(sample);
  }

  void unsubscribe(perf::Sample& sample) {
    Index index;
    std::vector<server::Subscription*> subscriptions = fill(index, filters_);
    std::shuffle(subscriptions.begin(), subscriptions.end(), std::mt19937_64(5));
    sample.measure([&] {
      for (server::Subscription* subscription : subscriptions) index.unsubscribe(subscription);
      index.interest.reclaim();
      return perf::Work{count_, index.interest.subscriptions()};
    });
    sample.figure("bytes_left", static_cast<double>(index.interest.memory_bytes()));
  }

  /// All connections close, one after the other.
  void close(perf::Sample& sample) {
    Index index;
    fill(index, filters_);
    Slowest slowest;
    sample.measure([&] {
      for (uint32_t& owned : index.owned) {
        while (owned != no_subscription) {
          slowest.time([&] { index.unsubscribe(index.interest.at(owned)); });
        }
      }
      return perf::Work{count_, index.interest.subscriptions()};
    });
    slowest.report(sample);
  }

  Index& full() {
    if (!full_) fill(full_.emplace(), filters_);
    return *full_;
  }

  /// A subscription to everything comes and goes before every few matches, so no plan holds.
  void match_uncached(perf::Sample& sample) {
    constexpr size_t at_once = 1000;
    Index& index = full();
    const uint64_t rounds = run_.size(1, 500'000 / subjects_.size());
    sample.measure([&] {
      perf::Work work;
      for (uint64_t round = 0; round < rounds; round++) {
        for (const std::string& subject : subjects_) {
          if (work.ops++ % at_once == 0) index.unsubscribe(index.subscribe(count_, ">"));
          work.checksum = perf::mix(work.checksum, index.matches(subject));
        }
      }
      return work;
    });
  }

  void match_hot(perf::Sample& sample, size_t hot) {
    Index& index = full();
    for (int warm = 0; warm < 3; warm++) {
      for (size_t i = 0; i < hot; i++) index.matches(subjects_[i]);
    }
    sample.measure([&] {
      perf::Work work;
      for (uint64_t rounds = run_.size(10'000, 1'000'000) / hot; rounds > 0; rounds--) {
        for (size_t i = 0; i < hot; i++, work.ops++) {
          work.checksum = perf::mix(work.checksum, index.matches(subjects_[i]));
        }
      }
      return work;
    });
  }

  perf::Runner& run_;
  const uint32_t count_;
  const bool wildcards_;
  const std::string prefix_;
  std::vector<std::string> filters_, subjects_;
  std::optional<Index> full_;
};

/// What another shard is told is part of the price.
void bench_two_shards(perf::Runner& run, const Scale& scale) {
  constexpr uint32_t told_every = 128;
  const std::string name = std::string("interest/") + scale.name + "/subscribe-and-tell";
  if (!run.wants(name)) return run.bench(name, {});
  const std::vector<std::string> filters = filters_of(scale.subscriptions, false);
  run.bench(name, [&](perf::Sample& sample) {
    Index here(0, 2), there(1, 2);
    sample.measure([&] {
      for (uint32_t i = 0; i < filters.size(); i++) {
        here.subscribe(i, filters[i]);
        if (i % told_every != told_every - 1 && i + 1 != filters.size()) continue;
        server::InterestChange change;
        while (here.interest.next_change(1, change)) {
          there.interest.apply(0, change);
          here.interest.taken(1);
        }
      }
      return perf::Work{filters.size(), here.interest.change_epoch()};
    });
    const auto count = static_cast<double>(filters.size());
    sample.figure("bytes_here", static_cast<double>(here.interest.memory_bytes()) / count);
    sample.figure("bytes_there", static_cast<double>(there.interest.memory_bytes()) / count);
  });
}

/// One of many members of a subject leaves, another comes, and a message finds them all.
void bench_fan_out(perf::Runner& run, uint32_t members, const char* text) {
  const std::string name = std::string("interest/fan-out/") + text + "/churn-and-match";
  run.bench(name, [&](perf::Sample& sample) {
    Index index;
    auto subscriptions = fill(index, std::vector<std::string>(members, "news"));
    std::shuffle(subscriptions.begin(), subscriptions.end(), std::mt19937_64(5));
    const uint64_t rounds =
        std::min<uint64_t>(run.size(3, std::max(3u, 10'000'000 / members)), 1'000'000);
    sample.measure([&] {
      perf::Work work;
      for (; work.ops < rounds; work.ops++) {
        const size_t at = work.ops % members;
        index.unsubscribe(subscriptions[at]);
        const auto number = static_cast<uint32_t>(members + work.ops);
        subscriptions[at] = index.subscribe(number, "news");
        work.checksum = perf::mix(work.checksum, index.matches("news"));
      }
      return work;
    });
  });
}

}  // namespace
}  // namespace peal

int main(int argc, char** argv) {
  using namespace peal;
  perf::Runner run(argc, argv);
  bench_memory(run);
  for (const Scale& scale : scales) {
    if (run.smoke() && scale.subscriptions > 1000) continue;
    for (const Kind& kind : kinds) IndexBenches(run, scale, kind).all();
    bench_two_shards(run, scale);
  }
  bench_fan_out(run, 1, "1");
  bench_fan_out(run, 100, "100");
  if (!run.smoke()) bench_fan_out(run, 10'000, "10k");
  if (!run.smoke()) bench_fan_out(run, 1'000'000, "1M");
  return run.finish();
}
