// What it costs to wake a shard: MSG_RING between two reactors on two processors, to one that
// sleeps in its ring, to one that runs and never sleeps, and many at once, seen from the sender.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/reactor.hpp"
#include "core/thread.hpp"
#include "perf/bench.hpp"

namespace peal {
namespace {

using core::Completion;
using core::OpKind;
using core::Reactor;

constexpr core::ReactorConfig config{.submission_entries = 64, .completion_entries = 4096};
constexpr int64_t asleep_until_woken = INT64_MAX;
constexpr int64_t never_asleep = 0;

/// One turn; how many wakes it brought, and whether it was told to end.
struct Turn {
  uint64_t wakes = 0;
  bool notified = false;
};

Turn turn(Reactor& reactor, int64_t deadline_ns) {
  Turn turn;
  for (const Completion& completion : reactor.wait(deadline_ns)) {
    turn.wakes += completion.token.kind == OpKind::wake;
    turn.notified = turn.notified || completion.token.kind == OpKind::notify;
  }
  reactor.give_back();
  return turn;
}

/// A reactor on a thread of its own, which answers each wake by one, or only counts them.
class Peer {
 public:
  Peer(int processor, int64_t deadline_ns, std::optional<int> answer_to) {
    std::promise<Reactor*> ready;
    auto reactor = ready.get_future();
    thread_ = std::thread([=, this, &ready] {
      core::pin_thread(processor);
      auto made = Reactor::create(config);
      if (std::holds_alternative<std::string>(made)) std::abort();  // The first one was made.
      Reactor& own = *std::get<0>(made);
      ready.set_value(&own);
      for (Turn last; !last.notified;) {
        last = turn(own, deadline_ns);
        seen_.fetch_add(last.wakes, std::memory_order_release);
        for (uint64_t i = 0; answer_to && i < last.wakes; i++) own.wake(*answer_to);
      }
    });
    reactor_ = reactor.get();
    handle_ = reactor_->handle();
  }
  ~Peer() {
    reactor_->notify();
    thread_.join();
  }

  int handle() const { return handle_; }
  uint64_t seen() const { return seen_.load(std::memory_order_acquire); }

 private:
  std::thread thread_;
  Reactor* reactor_ = nullptr;
  int handle_ = -1;
  std::atomic<uint64_t> seen_{0};
};

/// There and back: an op is one way.
void bench_ping_pong(perf::Runner& run, const char* name, Reactor& reactor, int processor,
                     int64_t deadline_ns) {
  run.bench(name,
            [&](perf::Sample& sample) {
              Peer peer(processor, deadline_ns, reactor.handle());
              sample.measure([&] {
                perf::Work work;
                for (uint64_t rounds = run.size(50, 100'000); rounds > 0; rounds--, work.ops += 2) {
                  reactor.wake(peer.handle());
                  while (turn(reactor, deadline_ns).wakes == 0) {
                  }
                }
                return work;
              });
            },
            {.clock = perf::Clock::wall});
}

/// The sender's own time for each wake, when one submission carries many to one that runs.
void bench_sender(perf::Runner& run, const char* name, Reactor& reactor, int processor) {
  constexpr uint64_t at_once = 32;
  constexpr uint64_t unseen_max = 1024;  // A ring that overflows would be another thing to measure.
  run.bench(name, [&](perf::Sample& sample) {
    Peer peer(processor, never_asleep, {});
    sample.measure([&] {
      perf::Work work;
      for (uint64_t turns = run.size(10, 20'000); turns > 0; turns--, work.ops += at_once) {
        for (uint64_t i = 0; i < at_once; i++) reactor.wake(peer.handle());
        turn(reactor, never_asleep);
        while (work.ops + at_once - peer.seen() > unseen_max) std::this_thread::yield();
      }
      while (peer.seen() < work.ops) std::this_thread::yield();
      return work;
    });
  });
}

}  // namespace
}  // namespace peal

int main(int argc, char** argv) {
  using namespace peal;
  perf::Runner run(argc, argv);
  const std::vector<int> processors = core::allowed_processors();
  core::pin_thread(processors.front());
  auto made = Reactor::create(config);
  if (const auto* error = std::get_if<std::string>(&made)) {
    run.skip("wake", *error);
    return run.finish();
  }
  Reactor& reactor = *std::get<0>(made);
  const int other = processors.size() > 1 ? processors[1] : processors[0];
  bench_ping_pong(run, "wake/asleep", reactor, other, asleep_until_woken);
  if (processors.size() > 1) {
    bench_ping_pong(run, "wake/running", reactor, other, never_asleep);
    bench_sender(run, "wake/sender/32-at-once", reactor, other);
  } else {
    run.skip("wake/running", "there is one processor only");
    run.skip("wake/sender/32-at-once", "there is one processor only");
  }
  return run.finish();
}
