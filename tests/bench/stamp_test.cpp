#include "tools/bench/stamp.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "tools/bench/stream_check.hpp"

namespace peal::bench {
namespace {

constexpr size_t payload_bytes = 64;

std::string sealed(uint64_t number) {
  std::string payload(payload_bytes, 'x');
  seal(payload.data(), payload.size(), {number, int64_t(number) * 1000, 3});
  return payload;
}

TEST_CASE("stamp: a seal is read as it was written") {
  const auto seal = read_seal(sealed(123'456'789'012));
  REQUIRE(seal.has_value());
  CHECK(*seal == Seal{123'456'789'012, 123'456'789'012'000, 3});
}

TEST_CASE("stamp: no bit can change without being seen") {
  const std::string payload = sealed(42);
  for (size_t bit = 0; bit < payload.size() * 8; bit++) {
    std::string damaged = payload;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << bit % 8));
    CAPTURE(bit);
    CHECK_FALSE(read_seal(damaged).has_value());
  }
}

TEST_CASE("stamp: a payload that is cut is no payload") {
  const std::string payload = sealed(1);
  for (size_t bytes = 0; bytes < payload.size(); bytes++) {
    CHECK_FALSE(read_seal(std::string_view(payload).substr(0, bytes)).has_value());
  }
}

TEST_CASE("stamp: a due time is read as it was written") {
  std::string payload(due_bytes, 'x');
  stamp_due(payload.data(), 1'234'567'890'123);
  CHECK(read_due(payload) == 1'234'567'890'123);
}

/// The receiving end of a soak, as subscribers have it.
struct Receiver {
  StreamCheck stream;
  uint64_t damaged = 0;

  void take(std::string_view payload) {
    if (const auto seal = read_seal(payload)) return stream.on_number(seal->number);
    damaged++;
  }

  StreamFaults faults(uint64_t sent) const {
    StreamFaults faults = stream.faults(sent);
    faults.damaged = damaged;
    faults.lost -= damaged;
    return faults;
  }
};

constexpr uint64_t million = 1'000'000;

/// What a receiver finds in a million messages that came through `filter`, which is given each
/// number and says what comes out.
using Filter = std::function<std::vector<std::string>(uint64_t)>;

StreamFaults through(const Filter& filter) {
  Receiver receiver;
  for (uint64_t number = 0; number < million; number++) {
    for (const std::string& payload : filter(number)) receiver.take(payload);
  }
  return receiver.faults(million);
}

TEST_CASE("soak: a million good messages are a million good messages") {
  CHECK_FALSE(through([](uint64_t number) { return std::vector{sealed(number)}; }).any());
}

// Goal: one fault in a million is found, for what it is, wherever it is.
// Method: a filter between sender and receiver commits it once.
TEST_CASE("soak: one lost message in a million is one lost message") {
  for (const uint64_t victim : {uint64_t{0}, uint64_t{531'441}, million - 1}) {
    const StreamFaults faults = through([&](uint64_t number) {
      return number == victim ? std::vector<std::string>() : std::vector{sealed(number)};
    });
    CHECK(faults == StreamFaults{.lost = 1});
  }
}

TEST_CASE("soak: one message in a million that comes twice is one duplicate") {
  for (const uint64_t victim : {uint64_t{0}, uint64_t{531'441}, million - 1}) {
    const StreamFaults faults = through([&](uint64_t number) {
      return number == victim ? std::vector{sealed(number), sealed(number)}
                              : std::vector{sealed(number)};
    });
    CHECK(faults == StreamFaults{.duplicate = 1});
  }
}

TEST_CASE("soak: one message in a million that is overtaken is one reordered message") {
  for (const uint64_t victim : {uint64_t{0}, uint64_t{531'441}, million - 2}) {
    const StreamFaults faults = through([&](uint64_t number) {
      if (number == victim) return std::vector<std::string>();
      if (number == victim + 1) return std::vector{sealed(number), sealed(victim)};
      return std::vector{sealed(number)};
    });
    CHECK(faults == StreamFaults{.reordered = 1});
  }
}

TEST_CASE("soak: one damaged message in a million is damaged, and not lost") {
  for (const uint64_t victim : {uint64_t{0}, uint64_t{531'441}, million - 1}) {
    const StreamFaults faults = through([&](uint64_t number) {
      std::string payload = sealed(number);
      if (number == victim) payload[payload_bytes / 2] ^= 1;
      return std::vector{payload};
    });
    CHECK(faults == StreamFaults{.damaged = 1});
  }
}

TEST_CASE("stream check: gaps are filled from any side, and what fills them twice is a duplicate") {
  StreamCheck stream;
  for (const uint64_t number : {0, 9, 5, 1, 8, 5, 2, 9}) stream.on_number(number);
  CHECK(stream.faults(10) == StreamFaults{.lost = 4, .duplicate = 2, .reordered = 4});
}

TEST_CASE("stream check: what was sent and never came is lost, though nothing came after it") {
  StreamCheck stream;
  CHECK(stream.faults(5) == StreamFaults{.lost = 5});
  stream.on_number(0);
  CHECK(stream.faults(5) == StreamFaults{.lost = 4});
}

}  // namespace
}  // namespace peal::bench
