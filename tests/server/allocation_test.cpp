// Goal: a message that is published takes nothing from the allocator once the server is warm.
// Method: whole shards over a reactor without a kernel, in one thread, with every call of the
// allocator counted; the first that is not wanted is shown with the way to it. In a binary of its
// own for that reason.
#include <doctest/doctest.h>
#include <execinfo.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "core/mesh.hpp"
#include "core/random.hpp"
#include "perf/reactor_stub.hpp"
#include "protocol/binary_writer.hpp"
#include "server/shard.hpp"
#include "tests/support/counted_allocator.hpp"

static bool counting = false;
static size_t allocations = 0;
static void* way[32];
static int way_length = 0;

void peal::on_allocation() noexcept {
  if (!counting) return;
  if (allocations++ > 0) return;
  counting = false;  // backtrace() may allocate.
  way_length = backtrace(way, 32);
  counting = true;
}

// Time stands nearly still, so that no ping comes in between, however slowly this runs.
extern "C" int __wrap_clock_gettime(clockid_t, timespec* now) {
  static long ns = 0;
  *now = {1, ns++};
  return 0;
}

namespace peal::server {
namespace {

constexpr size_t messages_wanted = 100'000;
constexpr size_t read_bytes_max = 32 * 1024;
constexpr std::string_view hello = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
constexpr std::string_view framed_hello =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"framing\":\"binary/1\"}\r\n";

/// Two shards, a publisher on the first, subscribers on one of them or both.
class World {
 public:
  explicit World(bool framed = false)
      : state_({.options = options_}, shard_count), mesh_(shard_count, 256 * 1024, 64 * 1024) {
    log_ = std::get<0>(core::Log::open({}));
    for (ShardId id = 0; id < shard_count; id++) {
      reactors_.push_back(std::get<0>(core::Reactor::create({})));
      shards_.push_back(
          std::make_unique<Shard>(id, state_, mesh_, *reactors_[id], *log_, uint64_t{1}));
    }
    publisher_ = adopt(0);
    say(publisher_, std::string(framed ? framed_hello : hello));
  }

  int subscribe(ShardId shard, std::string_view what) {
    const int descriptor = adopt(shard);
    say(descriptor, std::string(hello) + "SUB " + std::string(what) + " 1\r\n");
    return descriptor;
  }

  int subscribe_framed(ShardId shard, std::string_view filter) {
    const int descriptor = adopt(shard);
    std::string sub(protocol::sub_bytes_max(filter.size(), 0), '\0');
    sub.resize(static_cast<size_t>(protocol::write_sub(sub.data(), 1, filter, {}) - sub.data()));
    say(descriptor, std::string(framed_hello) + sub);
    return descriptor;
  }

  /// One read of the publisher's, brought to its end.
  void publish(std::string_view bytes) {
    perf::feed(publisher_, bytes);
    turn();
  }

  void turn() {
    for (const auto& shard : shards_) shard->tick();
  }

 private:
  static constexpr ShardId shard_count = 2;

  int adopt(ShardId shard) {
    static int next_descriptor = 10;
    shards_[shard]->adopt(next_descriptor, static_cast<uint64_t>(next_descriptor));
    return next_descriptor++;
  }
  void say(int descriptor, std::string text) {
    perf::feed(descriptor, text);
    for (int i = 0; i < 4; i++) turn();
  }

  const Options options_;
  ServerState state_;
  core::Mesh mesh_;
  std::unique_ptr<core::Log> log_;
  std::vector<std::unique_ptr<core::Reactor>> reactors_;
  std::vector<std::unique_ptr<Shard>> shards_;
  int publisher_ = 0;
};

/// Reads full of messages, each on some subject.
struct Stream {
  std::vector<std::string> reads;
  size_t messages = 0;
  size_t bytes_each = 0;  // With head, where the sid is one digit.

  Stream(const std::vector<std::string>& subjects, size_t payload_bytes, size_t messages_min) {
    const std::string size = std::to_string(payload_bytes);
    const std::string payload(payload_bytes, 'x');
    core::Random random(1);
    while (messages < messages_min) {
      std::string read;
      for (;; messages++) {
        const std::string& subject = subjects[random.below(static_cast<uint32_t>(subjects.size()))];
        const std::string message = "PUB " + subject + " " + size + "\r\n" + payload + "\r\n";
        if (read.size() + message.size() > read_bytes_max) break;
        read += message;
      }
      reads.push_back(std::move(read));
    }
    bytes_each = std::string("MSG  1 \r\n\r\n").size() + subjects.front().size() + size.size() +
                 payload_bytes;
  }
};

void check(World& world, const Stream& stream, const std::vector<int>& subscribers,
           size_t copies_each_message) {
  const auto publish_all = [&] {
    for (const std::string& read : stream.reads) world.publish(read);
    for (int i = 0; i < 3; i++) world.turn();
  };
  const auto sent_bytes = [&] {
    uint64_t sum = 0;
    for (const int subscriber : subscribers) sum += perf::sent_bytes(subscriber);
    return sum;
  };
  publish_all();
  const uint64_t before = sent_bytes();
  allocations = 0;
  way_length = 0;
  counting = true;
  publish_all();
  counting = false;
  CHECK(sent_bytes() - before == stream.messages * copies_each_message * stream.bytes_each);
  CHECK(allocations == 0);
  if (allocations == 0) return;
  MESSAGE("messages: " << stream.messages << "; the first allocation:");
  backtrace_symbols_fd(way, way_length, STDERR_FILENO);
}

TEST_CASE("allocation: what is counted is what is allocated") {
  // By way of volatile words, or the compiler leaves both out.
  int* volatile number;
  void* volatile bytes;
  allocations = 0;
  counting = true;
  number = new int;
  bytes = std::malloc(100);
  counting = false;
  delete number;
  std::free(bytes);
  CHECK(allocations == 2);
}

TEST_CASE("allocation: a message to one or eight subscribers allocates nothing") {
  for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
    for (const size_t payload_bytes : {16u, 128u}) {
      for (const size_t subscribers : {1u, 8u}) {
        CAPTURE(shard);
        CAPTURE(payload_bytes);
        CAPTURE(subscribers);
        World world;
        std::vector<int> descriptors;
        for (size_t i = 0; i < subscribers; i++) {
          descriptors.push_back(world.subscribe(shard, "orders.new"));
        }
        check(world, Stream({"orders.new"}, payload_bytes, messages_wanted), descriptors,
              subscribers);
      }
    }
  }
}

TEST_CASE("allocation: a message to subscribers here and elsewhere allocates nothing") {
  World world;
  const std::vector<int> descriptors = {world.subscribe(0, "orders.*"),
                                        world.subscribe(1, "orders.new")};
  check(world, Stream({"orders.new"}, 128, messages_wanted), descriptors, 2);
}

TEST_CASE("allocation: a message to a queue group allocates nothing, wherever its members are") {
  for (const std::vector<ShardId>& shards :
       {std::vector<ShardId>{0, 0, 0}, std::vector<ShardId>{1, 1, 1},
        std::vector<ShardId>{0, 0, 1, 1}}) {
    for (const size_t payload_bytes : {16u, 128u}) {
      CAPTURE(shards.size());
      CAPTURE(shards.front());
      CAPTURE(payload_bytes);
      World world;
      std::vector<int> descriptors;
      for (const ShardId shard : shards) {
        descriptors.push_back(world.subscribe(shard, "orders.new workers"));
      }
      check(world, Stream({"orders.new"}, payload_bytes, messages_wanted), descriptors, 1);
    }
  }
}

TEST_CASE("allocation: messages on a thousand subjects to a wildcard allocate nothing") {
  std::vector<std::string> subjects;
  for (int i = 0; i < 1000; i++) subjects.push_back("orders." + std::to_string(1000 + i));
  for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
    for (const size_t payload_bytes : {16u, 128u}) {
      CAPTURE(shard);
      CAPTURE(payload_bytes);
      World world;
      const std::vector<int> descriptors = {world.subscribe(shard, "orders.*")};
      check(world, Stream(subjects, payload_bytes, messages_wanted), descriptors, 1);
    }
  }
}

TEST_CASE(
    "allocation: messages on subjects whose subscribers are here and there allocate nothing") {
  World world;
  const std::vector<int> descriptors = {world.subscribe(0, "orders.1"),
                                        world.subscribe(1, "orders.2"),
                                        world.subscribe(1, "orders.3")};
  const Stream stream({"orders.1", "orders.2", "orders.3"}, 16, messages_wanted);
  check(world, stream, descriptors, 1);
}

TEST_CASE("allocation: a message with a reply, and one that nobody wants, allocate nothing") {
  std::string line = "PUB orders.new _INBOX.abcdefghijklmnopqrstuv.1 5\r\nhello\r\n";
  for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
    CAPTURE(shard);
    World world;
    const std::vector<int> descriptors = {world.subscribe(shard, "orders.new")};
    Stream stream({"nobody"}, 16, messages_wanted);
    stream.bytes_each = 0;
    check(world, stream, descriptors, 0);
    for (std::string& read : stream.reads) {
      read.clear();
      while (read.size() + line.size() < read_bytes_max) read += line;
    }
    stream.messages = stream.reads.size() * (stream.reads[0].size() / line.size());
    stream.bytes_each = line.size() + std::string("MSG  1 ").size() - std::string("PUB  ").size();
    check(world, stream, descriptors, 1);
  }
}

std::string framed_messages(const std::vector<std::string>& subjects, bool batches) {
  constexpr uint32_t batch = 100;
  const std::string payload(16, 'x');
  std::string read;
  for (uint32_t alias = 1; alias <= subjects.size(); alias++) {
    const std::string& subject = subjects[alias - 1];
    std::string head(protocol::message_head_bytes_max(subject.size(), 0), '\0');
    const char* end;
    if (batches) {
      end = protocol::write_batch_head(head.data(), protocol::Operation::pub_batch,
                                       {.id = alias,
                                        .subject = subject,
                                        .message_bytes = static_cast<uint32_t>(payload.size()),
                                        .messages = batch});
    } else {
      end = protocol::write_message_head(
          head.data(), protocol::Operation::pub,
          {.id = alias, .subject = subject, .message_bytes = payload.size()});
    }
    read.append(head.data(), static_cast<size_t>(end - head.data()));
    for (uint32_t i = 0; i < (batches ? batch : 1); i++) read += payload;
  }
  return read;
}

TEST_CASE("allocation: messages in frames and in batches allocate nothing, to either framing") {
  std::vector<std::string> subjects;
  for (int i = 0; i < 20; i++) subjects.push_back("orders." + std::to_string(1000 + i));
  for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
    for (const bool batches : {false, true}) {
      CAPTURE(shard);
      CAPTURE(batches);
      World world(true);
      const int framed = world.subscribe_framed(shard, "orders.*");
      const int lined = world.subscribe(shard, "orders.*");
      const std::string read = framed_messages(subjects, batches);
      const auto publish_all = [&] {
        for (int i = 0; i < 200; i++) world.publish(read);
        for (int i = 0; i < 3; i++) world.turn();
      };
      publish_all();
      const uint64_t before_framed = perf::sent_bytes(framed);
      const uint64_t before_lined = perf::sent_bytes(lined);
      allocations = 0;
      way_length = 0;
      counting = true;
      publish_all();
      counting = false;
      CHECK(allocations == 0);
      if (allocations > 0) backtrace_symbols_fd(way, way_length, STDERR_FILENO);
      const uint64_t messages = 200 * subjects.size() * (batches ? 100 : 1);
      CHECK(perf::sent_bytes(lined) - before_lined ==
            messages * (std::string("MSG  1 16\r\n\r\n").size() + subjects[0].size() + 16));
      CHECK(perf::sent_bytes(framed) - before_framed >= messages * 16);
    }
  }
}

}  // namespace
}  // namespace peal::server
