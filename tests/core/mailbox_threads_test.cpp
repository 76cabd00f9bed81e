// Two threads and the mailboxes between them, as shards use them: they sleep when there is nothing
// to do, and wake each other by the protocol of core/mesh.hpp. A wake that is lost hangs the test.
#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/mesh.hpp"
#include "core/random.hpp"
#include "tests/core/seed.hpp"

namespace peal::core {
namespace {

/// Where a thread sleeps; stands for its reactor.
class Bed {
 public:
  Bed() : descriptor_(eventfd(0, EFD_CLOEXEC)) { REQUIRE(descriptor_ >= 0); }
  ~Bed() { ::close(descriptor_); }
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  void sleep() {
    uint64_t wakes;
    while (::read(descriptor_, &wakes, sizeof wakes) != sizeof wakes) {
    }
  }
  void wake() {
    const uint64_t one = 1;
    while (::write(descriptor_, &one, sizeof one) != sizeof one) {
    }
  }

 private:
  int descriptor_;
};

/// A part of a record. A record has one, or several when it was lengthened.
struct Unit {
  uint32_t bytes;  // That follow.
  uint32_t number;
};

uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x9e3779b97f4a7c15 + 1; }

class Producer {
 public:
  Producer(Mesh& mesh, Bed& here, Bed& there, uint64_t seed)
      : mesh_(mesh),
        mailbox_(mesh.mailbox(Lane::data, 0, 1)),
        here_(here),
        there_(there),
        random_(seed) {}

  uint64_t waits = 0;
  uint64_t extended = 0;
  uint64_t sum = 0;

  void run(uint32_t units) {
    for (uint32_t number = 0; number < units; number++) {
      // Mostly short, so that many lie in the ring, and sometimes half of it.
      const uint32_t rest =
          random_.below(1000) == 0
              ? random_.below(static_cast<uint32_t>(mailbox_.record_bytes_max() - sizeof(Unit)))
              : random_.below(40);
      put(room_for(sizeof(Unit) + rest), {rest, number});
      if (random_.below(16) == 0) end_turn();
    }
    end_turn();
  }

 private:
  char* room_for(size_t bytes) {
    if (random_.below(3) == 0) {
      if (char* const more = mailbox_.try_extend(bytes)) {
        extended++;
        return more;
      }
    }
    if (random_.below(2) == 0) {
      if (char* const at = mailbox_.try_append(bytes)) return at;
    }
    while (!mailbox_.has_room(bytes)) {
      end_turn();
      mesh_.baton(0).announce();
      mailbox_.want_room();
      if (!mailbox_.has_room(bytes)) {
        waits++;
        here_.sleep();
      }
      mesh_.baton(0).keep();
    }
    return mailbox_.append(bytes);
  }

  void put(char* at, const Unit& unit) {
    std::memcpy(at, &unit, sizeof unit);
    std::memset(at + sizeof unit, static_cast<int>(unit.number & 0xff), unit.bytes);
    sum = mix(sum, uint64_t{unit.bytes} << 32 | unit.number);
  }

  void end_turn() {
    if (mailbox_.unpublished_bytes() == 0) return;
    mailbox_.publish();
    if (mesh_.baton(1).claim_wake()) there_.wake();
  }

  Mesh& mesh_;
  Mailbox& mailbox_;
  Bed& here_;
  Bed& there_;
  Random random_;
};

class Consumer {
 public:
  Consumer(Mesh& mesh, Bed& here, Bed& there, uint64_t seed)
      : mesh_(mesh),
        mailbox_(mesh.mailbox(Lane::data, 0, 1)),
        here_(here),
        there_(there),
        random_(seed) {}

  uint64_t sleeps = 0;
  uint64_t sum = 0;

  void run(uint32_t units) {
    while (next_ < units) {
      drain();
      if (next_ == units) return;
      mesh_.baton(1).announce();
      if (mailbox_.head() == mailbox_.consumed_position()) {
        sleeps++;
        here_.sleep();
      }
      mesh_.baton(1).keep();
    }
  }

 private:
  void drain() {
    bool producer_waits = false;
    const uint64_t head = mailbox_.head();
    for (;;) {
      const std::span<const char> record = mailbox_.peek(head);
      if (record.empty()) break;
      read(record);
      mailbox_.pop(record);
      if (random_.below(64) == 0) producer_waits |= mailbox_.release();
    }
    producer_waits |= mailbox_.release();
    if (producer_waits && mesh_.baton(0).claim_wake()) there_.wake();
  }

  void read(std::span<const char> record) {
    while (!record.empty()) {
      Unit unit;
      if (record.size() < sizeof unit) return fail("a record ends within a unit");
      std::memcpy(&unit, record.data(), sizeof unit);
      record = record.subspan(sizeof unit);
      if (unit.bytes > record.size()) return fail("a record ends within a unit's bytes");
      if (unit.number != next_++) fail("units out of order");
      for (const char byte : record.first(unit.bytes)) {
        if (static_cast<uint8_t>(byte) != (unit.number & 0xff)) return fail("a byte has changed");
      }
      sum = mix(sum, uint64_t{unit.bytes} << 32 | unit.number);
      record = record.subspan(unit.bytes);
    }
  }

  // The producer would wait for ever for a consumer that has given up.
  void fail(const char* what) {
    std::fprintf(stderr, "%s at unit %u\n", what, next_);
    std::abort();
  }

  Mesh& mesh_;
  Mailbox& mailbox_;
  Bed& here_;
  Bed& there_;
  Random random_;
  uint32_t next_ = 0;
};

// Goal: no record is lost, torn or out of order, and nobody sleeps for ever. Method: a producer
// that is quicker than a small mailbox, and a consumer that is quicker than the producer, in turn.
TEST_CASE("mailbox: millions of records cross between two threads that sleep and wake") {
  const uint64_t seed = test::seed_of_run();
  for (const size_t capacity : {512u, 64u * 1024u}) {
    CAPTURE(capacity);
    constexpr uint32_t units = 1'500'000;
    Mesh mesh(2, capacity, 1024);
    Bed beds[2];
    Producer producer(mesh, beds[0], beds[1], seed);
    Consumer consumer(mesh, beds[1], beds[0], seed + 1);
    std::thread other([&] { consumer.run(units); });
    producer.run(units);
    other.join();
    CHECK(consumer.sum == producer.sum);
    CHECK(mesh.mailbox(Lane::data, 0, 1).drained());
    CHECK(producer.extended > 0);
    CHECK(producer.waits + consumer.sleeps > 0);
    MESSAGE("waits for room: " << producer.waits << ", sleeps: " << consumer.sleeps);
  }
}

}  // namespace
}  // namespace peal::core
