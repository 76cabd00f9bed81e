// What it costs to hand a record from one shard to another: the work itself, in one thread, and the
// way of the cache lines, between two threads on two processors that never sleep.

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/mailbox.hpp"
#include "core/thread.hpp"
#include "perf/bench.hpp"

namespace peal {
namespace {

using core::Mailbox;

constexpr size_t mailbox_bytes = 256 * 1024;  // As the mesh's data lanes are.

/// What a full read turns into, roughly, and so it has room.
uint64_t records_per_turn(size_t record_bytes) { return 32 * 1024 / record_bytes; }

/// Spins, but leaves the processor now and then to who may have to go first.
class Patience {
 public:
  void spin() {
    if (++spins_ % 4096 == 0) std::this_thread::yield();
  }

 private:
  uint32_t spins_ = 0;
};

/// A turn's records, written and shown.
void produce(Mailbox& mailbox, const std::string& record, uint64_t count, Patience& patience) {
  for (; count > 0; count--) {
    while (!mailbox.has_room(record.size())) {
      mailbox.publish();
      patience.spin();
    }
    std::memcpy(mailbox.append(record.size()), record.data(), record.size());
  }
  mailbox.publish();
}

/// All that is there. A byte of each is read, as whoever acts on it would.
uint64_t consume(Mailbox& mailbox, uint64_t& checksum) {
  uint64_t count = 0;
  const uint64_t head = mailbox.head();
  for (auto record = mailbox.peek(head); !record.empty(); record = mailbox.peek(head)) {
    checksum += static_cast<unsigned char>(record.back());
    mailbox.pop(record);
    count++;
  }
  mailbox.release();
  return count;
}

void bench_one_thread(perf::Runner& run, const char* name, size_t record_bytes) {
  const std::string record(record_bytes, 'x');
  run.bench(name,
            [&](perf::Sample& sample) {
              Mailbox mailbox(mailbox_bytes);
              const uint64_t at_once = records_per_turn(record_bytes);
              sample.measure([&] {
                perf::Work work;
                Patience patience;
                for (uint64_t turns = run.size(10, 40'000); turns > 0; turns--) {
                  produce(mailbox, record, at_once, patience);
                  work.ops += consume(mailbox, work.checksum);
                }
                return work;
              });
            },
            {.allocations = perf::Allocations::forbidden});
}

void bench_two_threads(perf::Runner& run, const char* name, size_t record_bytes,
                       const std::vector<int>& processors) {
  if (processors.size() < 2) return run.skip(name, "there is one processor only");
  const std::string record(record_bytes, 'x');
  run.bench(name,
            [&](perf::Sample& sample) {
              Mailbox mailbox(mailbox_bytes);
              const uint64_t at_once = records_per_turn(record_bytes);
              const uint64_t records = run.size(10, 40'000) * at_once;
              uint64_t checksum = 0;
              std::thread consumer([&] {
                core::pin_thread(processors[1]);
                Patience patience;
                for (uint64_t count = 0; count < records; patience.spin()) {
                  count += consume(mailbox, checksum);
                }
              });
              sample.measure([&] {
                Patience patience;
                for (uint64_t count = 0; count < records; count += at_once) {
                  produce(mailbox, record, at_once, patience);
                }
                while (!mailbox.drained()) patience.spin();
                return perf::Work{records, 0};
              });
              consumer.join();
              if (checksum != records * 'x') std::abort();
            },
            {.clock = perf::Clock::wall, .allocations = perf::Allocations::forbidden});
}

/// One record there, one back: an op is one way.
void bench_ping_pong(perf::Runner& run, const char* name, const std::vector<int>& processors) {
  if (processors.size() < 2) return run.skip(name, "there is one processor only");
  const std::string record(32, 'x');
  run.bench(name,
            [&](perf::Sample& sample) {
              Mailbox there(mailbox_bytes), back(mailbox_bytes);
              const uint64_t rounds = run.size(100, 500'000);
              const auto await_one = [](Mailbox& mailbox, Patience& patience, uint64_t& checksum) {
                while (consume(mailbox, checksum) == 0) patience.spin();
              };
              std::thread other([&] {
                core::pin_thread(processors[1]);
                Patience patience;
                uint64_t checksum = 0;
                for (uint64_t round = 0; round < rounds; round++) {
                  await_one(there, patience, checksum);
                  produce(back, record, 1, patience);
                }
              });
              sample.measure([&] {
                perf::Work work;
                Patience patience;
                for (uint64_t round = 0; round < rounds; round++, work.ops += 2) {
                  produce(there, record, 1, patience);
                  await_one(back, patience, work.checksum);
                }
                return work;
              });
              other.join();
            },
            {.clock = perf::Clock::wall, .allocations = perf::Allocations::forbidden});
}

}  // namespace
}  // namespace peal

int main(int argc, char** argv) {
  using namespace peal;
  perf::Runner run(argc, argv);
  const std::vector<int> processors = core::allowed_processors();
  core::pin_thread(processors.front());
  bench_one_thread(run, "mailbox/one-thread/32B", 32);
  bench_one_thread(run, "mailbox/one-thread/160B", 160);
  bench_one_thread(run, "mailbox/one-thread/1KiB", 1024);
  bench_two_threads(run, "mailbox/two-threads/32B", 32, processors);
  bench_two_threads(run, "mailbox/two-threads/160B", 160, processors);
  bench_two_threads(run, "mailbox/two-threads/1KiB", 1024, processors);
  bench_ping_pong(run, "mailbox/ping-pong/32B", processors);
  return run.finish();
}
