// What a published message costs a server by itself: parsed, matched, routed, handed to the other
// shard and laid out to be sent, by whole shards in one thread over a reactor without a kernel. One
// read is 32 KiB of messages; its turn is part of the price.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "core/mesh.hpp"
#include "core/random.hpp"
#include "perf/bench.hpp"
#include "perf/reactor_stub.hpp"
#include "server/shard.hpp"

namespace peal {
namespace {

using server::Shard;
using server::ShardId;

constexpr size_t read_bytes_max = 32 * 1024;
constexpr size_t mailbox_bytes = 256 * 1024;
constexpr size_t control_bytes = 64 * 1024;
const std::string hello = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";

/// No client here answers a PING.
server::Options quiet_options() {
  server::Options options;
  options.ping_interval = std::chrono::hours(24);
  return options;
}

/// Shards with a publisher on the first. It is left as it is at the end, with all that belongs to
/// it: the stub has no kernel that would let go of receives.
class World {
 public:
  explicit World(ShardId shards)
      : state_({.options = quiet_options()}, shards),
        mesh_(shards, mailbox_bytes, control_bytes),
        log_(std::get<0>(core::Log::open({}))) {
    for (ShardId id = 0; id < shards; id++) {
      reactors_.push_back(std::get<0>(core::Reactor::create({})).release());
      shards_.push_back(new Shard(id, state_, mesh_, *reactors_[id], *log_, 1));
    }
    publisher_ = connect(0, hello);
  }

  void subscribe(ShardId shard, const std::string& subscriptions) {
    subscribers_.push_back(connect(shard, hello + subscriptions));
  }

  void publish(const std::string& read) {
    perf::feed(publisher_, read);
    turn();
  }
  void turn() {
    for (Shard* shard : shards_) shard->tick();
  }

  uint64_t delivered_bytes() const {
    uint64_t sum = 0;
    for (const int subscriber : subscribers_) sum += perf::sent_bytes(subscriber);
    return sum;
  }

 private:
  int connect(ShardId shard, const std::string& says) {
    static int next_descriptor = 10;
    const int descriptor = next_descriptor++;
    shards_[shard]->adopt(descriptor, static_cast<uint64_t>(descriptor));
    perf::feed(descriptor, says);
    for (int i = 0; i < 4; i++) turn();
    return descriptor;
  }

  server::ServerState state_;
  core::Mesh mesh_;
  std::unique_ptr<core::Log> log_;
  std::vector<core::Reactor*> reactors_;
  std::vector<Shard*> shards_;
  int publisher_ = 0;
  std::vector<int> subscribers_;
};

struct Scenario {
  ShardId shards = 1;
  size_t payload_bytes = 16;
  std::vector<std::string> subjects = {"bench.1000"};  // Of one length.
  bool shuffled = false;                               // Else in turn.
  std::vector<std::string> subscribers;                // What each says; spread from the last
                                                       // shard on.
  uint64_t copies = 1;                                 // Deliveries of each message.
  perf::Allocations allocations = perf::Allocations::forbidden;
};

/// Reads full of messages, over all the subjects, and the beginning again once.
struct Stream {
  std::vector<std::string> reads;
  std::vector<size_t> messages;  // In each read.
  size_t delivered_bytes_each = 0;

  explicit Stream(const Scenario& scenario) {
    const std::string size = std::to_string(scenario.payload_bytes);
    const std::string payload(scenario.payload_bytes, 'x');
    core::Random random(7);
    const size_t subjects = scenario.subjects.size();
    const auto one = [&](size_t number) {
      const size_t at =
          scenario.shuffled ? random.below(static_cast<uint32_t>(subjects)) : number % subjects;
      return "PUB " + scenario.subjects[at] + " " + size + "\r\n" + payload + "\r\n";
    };
    std::string message = one(0);
    delivered_bytes_each = message.size() + std::string_view("1 ").size();  // The sid: PUB to MSG.
    for (size_t number = 0; number < subjects;) {
      reads.emplace_back().reserve(read_bytes_max);
      messages.push_back(0);
      while (reads.back().size() + message.size() <= read_bytes_max) {
        reads.back() += message;
        messages.back()++;
        message = one(++number);
      }
    }
  }
};

void bench(perf::Runner& run, const std::string& name, const Scenario& scenario) {
  if (!run.wants(name)) return run.bench(name, {});
  World& world = *new World(scenario.shards);
  for (size_t i = 0; i < scenario.subscribers.size(); i++) {
    // The last shard first: with one subscriber and two shards, each message crosses.
    const auto shard = static_cast<ShardId>(scenario.shards - 1 - i % scenario.shards);
    world.subscribe(shard, scenario.subscribers[i]);
  }
  const Stream stream(scenario);
  const auto publish_all = [&](uint64_t messages_min) {
    perf::Work work;
    for (size_t at = 0; work.ops < messages_min; at = (at + 1) % stream.reads.size()) {
      world.publish(stream.reads[at]);
      work.ops += stream.messages[at];
    }
    for (int i = 0; i < 3; i++) world.turn();
    return work;
  };
  run.bench(name,
            [&](perf::Sample& sample) {
              // What the caches take in is taken in before.
              publish_all(std::max<size_t>(10'000, scenario.subjects.size()));
              const uint64_t before_bytes = world.delivered_bytes();
              sample.measure([&] {
                perf::Work work = publish_all(run.size(2000, 2'000'000));
                // A PING to the subscriber is less than one message.
                const uint64_t bytes = world.delivered_bytes() - before_bytes;
                const uint64_t delivered = bytes / stream.delivered_bytes_each;
                if (delivered != work.ops * scenario.copies) {
                  std::fprintf(stderr, "%s: of %llu messages %llu were delivered\n", name.c_str(),
                               static_cast<unsigned long long>(work.ops * scenario.copies),
                               static_cast<unsigned long long>(delivered));
                  std::exit(1);
                }
                work.checksum = perf::mix(work.checksum, delivered);
                return work;
              });
            },
            {.allocations = scenario.allocations});
}

std::vector<std::string> times(size_t count, const std::string& what) {
  return std::vector<std::string>(count, what);
}

std::vector<std::string> many_subjects() {
  std::vector<std::string> subjects;
  for (int i = 0; i < 100'000; i++) subjects.push_back("bench.1000." + std::to_string(1000000 + i));
  return subjects;
}

void bench_shards(perf::Runner& run, ShardId shards) {
  const std::string prefix =
      "publish/" + std::to_string(shards) + (shards == 1 ? "-shard/" : "-shards/");
  const auto one_subject = times(1, "SUB bench.1000 1\r\n");
  for (const size_t bytes : {16u, 128u}) {
    const std::string size = std::to_string(bytes) + "B";
    bench(run, prefix + "1-to-1/" + size,
          {.shards = shards, .payload_bytes = bytes, .subscribers = one_subject});
    bench(run, prefix + "1-to-8/" + size,
          {.shards = shards,
           .payload_bytes = bytes,
           .subscribers = times(8, one_subject.front()),
           .copies = 8});
    bench(run, prefix + "alternating/" + size,
          {.shards = shards,
           .payload_bytes = bytes,
           .subjects = {"bench.1000", "bench.1001"},
           .subscribers = {"SUB bench.1000 1\r\nSUB bench.1001 2\r\n"}});
    bench(run, prefix + "100k-subjects/" + size,
          {.shards = shards,
           .payload_bytes = bytes,
           .subjects = many_subjects(),
           .shuffled = true,
           .subscribers = {"SUB bench.1000.* 1\r\n"},
           // Now and then a subject comes again so soon that it gets a place in the cache.
           .allocations = perf::Allocations::allowed});
    bench(run, prefix + "queue-of-8/" + size,
          {.shards = shards,
           .payload_bytes = bytes,
           .subscribers = times(8, "SUB bench.1000 workers 1\r\n")});
  }
  bench(run, prefix + "one-on-each/16B",
        {.shards = shards, .subscribers = times(shards, one_subject.front()), .copies = shards});
  bench(run, prefix + "nobody/16B", {.shards = shards, .subscribers = {}, .copies = 0});
}

/// What one more shard costs those who have nothing to do with it, and those who do.
void bench_many_shards(perf::Runner& run, ShardId shards) {
  const std::string prefix = "publish/" + std::to_string(shards) + "-shards/";
  const std::string subscription = "SUB bench.1000 1\r\n";
  bench(run, prefix + "1-to-1/16B", {.shards = shards, .subscribers = times(1, subscription)});
  bench(run, prefix + "one-on-each/16B",
        {.shards = shards, .subscribers = times(shards, subscription), .copies = shards});
}

}  // namespace
}  // namespace peal

int main(int argc, char** argv) {
  using namespace peal;
  perf::Runner run(argc, argv);
  bench_shards(run, 1);
  bench_shards(run, 2);
  bench_many_shards(run, 8);
  return run.finish();
}
