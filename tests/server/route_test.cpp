#include "server/route.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "tests/support/guarded_bytes.hpp"

namespace peal::server {
namespace {

constexpr size_t line_bytes_min = 8;
constexpr size_t line_bytes_max = 88;

std::string line_of(size_t bytes) {
  std::string line(bytes, '\0');
  for (size_t i = 0; i < bytes; i++) line[i] = static_cast<char>('!' + i % 90);
  return line;
}

void remember(RouteMemo& memo, std::string_view subject = "orders.new", uint64_t epoch = 1,
              uint64_t version = 1) {
  memo.remember(epoch, version, global_account, subject, Plan{});
}

// Goal: a line is taken for a repeated one when it is, byte for byte, and never otherwise. Method:
// all lengths, every byte changed in turn, at the end of readable memory.
TEST_CASE("route memo: a line is repeated exactly when all its bytes are") {
  test::GuardedBytes memory(1024);
  for (size_t bytes = line_bytes_min; bytes <= line_bytes_max; bytes++) {
    CAPTURE(bytes);
    const std::string line = line_of(bytes);
    RouteMemo memo;
    remember(memo);
    memo.remember_line(line, 3);
    REQUIRE(memo.line_bytes() == bytes);
    REQUIRE(memo.line_message_bytes() == 3);
    CHECK(memo.count_repeats(memory.place(line + "abc\r\n")));
    for (size_t at = 0; at < bytes; at++) {
      CAPTURE(at);
      for (const char bits : {'\x01', '\x80'}) {
        std::string other = line + "abc\r\n";
        other[at] = static_cast<char>(other[at] ^ bits);
        CHECK(!memo.count_repeats(memory.place(other)));
      }
    }
  }
}

TEST_CASE("route memo: the message has to be there, whole, and to end where the line says") {
  test::GuardedBytes memory(1024);
  for (const size_t bytes : {8u, 16u, 17u, 24u, 25u, 88u}) {
    for (const size_t message_bytes : {0u, 1u, 16u, 300u}) {
      CAPTURE(bytes);
      CAPTURE(message_bytes);
      RouteMemo memo;
      remember(memo);
      memo.remember_line(line_of(bytes), message_bytes);
      const std::string whole = line_of(bytes) + std::string(message_bytes, 'm') + "\r\n";
      CHECK(memo.count_repeats(memory.place(whole)));
      CHECK(memo.count_repeats(memory.place(whole + "PING\r\n")));
      for (size_t cut = 0; cut < whole.size(); cut++) {
        if (memo.count_repeats(memory.place(whole.substr(0, cut)))) FAIL("cut at " << cut);
      }
      for (const char* const end : {"\r\r", "\n\n", "\n\r", "x\n", "\rx"}) {
        CHECK(!memo.count_repeats(memory.place(whole.substr(0, whole.size() - 2) + end)));
      }
      CHECK(!memo.count_repeats(line_of(bytes) + std::string(message_bytes + 1, 'm') + "\r\n"));
    }
  }
}

TEST_CASE("route memo: counts the messages in front that came by the line") {
  RouteMemo memo;
  remember(memo);
  memo.remember_line("PUB orders.new 5\r\n", 5);
  const std::string one = "PUB orders.new 5\r\nhello\r\n";
  CHECK(memo.line_stride_bytes() == one.size());
  CHECK(memo.count_repeats(one + one + one) == 3);
  CHECK(memo.count_repeats(one + one + one.substr(0, one.size() - 1)) == 2);
  CHECK(memo.count_repeats(one + "PUB orders.new 4\r\nhell\r\n" + one) == 1);
  CHECK(memo.count_repeats("PING\r\n" + one) == 0);
}

TEST_CASE("route memo: what a message says does not matter") {
  RouteMemo memo;
  remember(memo);
  memo.remember_line("PUB orders.new 5\r\n", 5);
  CHECK(memo.count_repeats("PUB orders.new 5\r\nhello\r\n"));
  CHECK(memo.count_repeats("PUB orders.new 5\r\n\r\n\r\n\r\r\n"));
  CHECK(!memo.count_repeats("PUB orders.old 5\r\nhello\r\n"));
}

TEST_CASE(
    "route memo: lines that are too short or too long are not kept, nor any without a route") {
  for (const size_t bytes : {0u, 7u, 89u, 200u}) {
    RouteMemo memo;
    remember(memo);
    memo.remember_line(line_of(bytes), 0);
    CHECK(memo.line_bytes() == 0);
    CHECK(!memo.count_repeats(line_of(bytes) + "\r\n"));
  }
  RouteMemo none;
  none.remember_line(line_of(20), 0);
  CHECK(!none.count_repeats(line_of(20) + "\r\n"));
}

TEST_CASE("route memo: a route that is asked for twice in a row comes again, and no other does") {
  RouteMemo memo;
  CHECK(!memo.comes_again(7));
  CHECK(memo.comes_again(7));
  CHECK(!memo.comes_again(8));
  CHECK(!memo.comes_again(7));
}

TEST_CASE("route memo: whoever asks for another route, nothing is remembered of the last") {
  RouteMemo memo;
  remember(memo);
  memo.remember_line("PUB orders.new 5\r\n", 5);
  REQUIRE(memo.recalls(1, global_account, "orders.new"));
  memo.comes_again(7);
  CHECK(!memo.recalls(1, global_account, "orders.new"));
  CHECK(!memo.holds(1));
  CHECK(memo.version() == 0);
  CHECK(!memo.count_repeats("PUB orders.new 5\r\nhello\r\n"));
  memo.remember_line("PUB orders.old 5\r\n", 5);
  CHECK(memo.line_bytes() == 0);
}

TEST_CASE(
    "route memo: a plan for any last token covers the siblings of its subject, and no others") {
  const auto remembered = [](RouteMemo& memo, std::string_view subject, bool any) {
    Plan plan;
    plan.for_any_last_token = any;
    memo.remember(1, 1, global_account, subject, plan);
  };
  RouteMemo memo;
  CHECK(!memo.covers(1, global_account, "a.b.d"));
  remembered(memo, "a.b.c", false);
  CHECK(!memo.covers(1, global_account, "a.b.d"));
  remembered(memo, "a.b.c", true);
  CHECK(memo.covers(1, global_account, "a.b.d"));
  CHECK(memo.covers(1, global_account, "a.b.a_longer_token_than_before"));
  CHECK(!memo.covers(2, global_account, "a.b.d"));
  CHECK(!memo.covers(1, global_account + 1, "a.b.d"));
  for (const char* const other :
       {"a.b", "a.b.", "a.c.c", "a.b.c.d", "a.b.long_token.d", "b", "a.b.."}) {
    CAPTURE(other);
    CHECK(!memo.covers(1, global_account, other));
  }
  CHECK(!memo.covers(1, global_account, "a.b." + std::string(100, 'x')));

  memo.move_to(7, "a.b.next");
  CHECK(memo.subject() == "a.b.next");
  CHECK(memo.version() == 7);
  CHECK(memo.recalls(1, global_account, "a.b.next"));
  CHECK(!memo.recalls(1, global_account, "a.b.c"));

  remembered(memo, "single", true);
  CHECK(memo.covers(1, global_account, "other"));
  CHECK(!memo.covers(1, global_account, "other.one"));
  CHECK(!memo.covers(1, global_account, ""));
}

TEST_CASE("route memo: forgets the line when told, and when it remembers another route") {
  const std::string line = "PUB orders.new 0\r\n";
  RouteMemo memo;
  CHECK(!memo.count_repeats(line + "\r\n"));
  for (int way = 0; way < 3; way++) {
    CAPTURE(way);
    remember(memo);
    memo.remember_line(line, 0);
    REQUIRE(memo.count_repeats(line + "\r\n"));
    if (way == 0) memo.forget_line();
    if (way == 1) remember(memo, "orders.old");
    if (way == 2) remember(memo, "orders.new", 2);
    CHECK(!memo.count_repeats(line + "\r\n"));
  }
}

TEST_CASE("route memo: recalls a subject of one account while no interest has changed") {
  RouteMemo memo;
  CHECK(!memo.recalls(1, global_account, "orders.new"));
  CHECK(memo.version() == 0);
  std::string subject = "orders.new";
  remember(memo, subject, 7, 3);
  subject = "xxxxxxxxxx";  // It was copied.
  CHECK(memo.subject() == "orders.new");
  CHECK(memo.recalls(7, global_account, "orders.new"));
  CHECK(memo.holds(7));
  CHECK(memo.version() == 3);
  CHECK(!memo.recalls(8, global_account, "orders.new"));
  CHECK(!memo.holds(8));
  CHECK(!memo.recalls(7, global_account + 1, "orders.new"));
  CHECK(!memo.recalls(7, global_account, "orders.ne"));
  CHECK(!memo.recalls(7, global_account, "orders.neW"));
  remember(memo, memo.subject(), 8, 4);  // Its own subject, for a new epoch.
  CHECK(memo.recalls(8, global_account, "orders.new"));
}

TEST_CASE("route memo: what is too much for it is not remembered, and what was is forgotten") {
  RouteMemo memo;
  remember(memo);
  const std::string subject(73, 's');
  remember(memo, subject);
  CHECK(!memo.recalls(1, global_account, subject));
  CHECK(!memo.recalls(1, global_account, "orders.new"));
  CHECK(memo.version() == 0);
  remember(memo, subject.substr(1));
  CHECK(memo.recalls(1, global_account, subject.substr(1)));

  std::array<ShardId, 9> shards{};
  Plan plan{};
  plan.shards = {shards.data(), 8};
  memo.remember(1, 2, global_account, "a", plan);
  CHECK(memo.recalls(1, global_account, "a"));
  CHECK(memo.plan().shards.size() == 8);
  CHECK(memo.plan().shards.data() != shards.data());
  plan.shards = shards;
  memo.remember(1, 3, global_account, "a", plan);
  CHECK(!memo.recalls(1, global_account, "a"));
}

}  // namespace
}  // namespace peal::server
