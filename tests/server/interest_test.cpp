#include "server/interest.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "protocol/subject.hpp"

namespace peal::server {
namespace {

constexpr AccountId other_account = 7;

/// One connection of one shard.
struct Shard {
  Interest interest;
  uint32_t owned = no_subscription;

  explicit Shard(ShardId here = 0, ShardId shards = 1) : interest(here, shards, 1) {}

  Subscription* subscribe(std::string_view sid, std::string_view filter,
                          std::string_view queue = {}, AccountId account = global_account) {
    return interest.subscribe(account, 1, owned, sid, filter, queue);
  }
  void unsubscribe(std::string_view sid) { interest.unsubscribe(*interest.find(1, sid), owned); }
  const Plan& match(std::string_view subject) { return interest.match(global_account, subject); }
  std::string next_change(ShardId target) {
    InterestChange change;
    if (!interest.next_change(target, change)) return "";
    const std::string text = std::string(change.filter) + " [" + std::string(change.queue) + "] " +
                             std::to_string(change.members);
    interest.taken(target);
    return text;
  }
};

std::set<std::string> sids(std::span<Subscription* const> subscriptions) {
  std::set<std::string> found;
  for (const Subscription* subscription : subscriptions) found.emplace(subscription->sid());
  REQUIRE(found.size() == subscriptions.size());
  return found;
}

TEST_CASE("interest: every filter matches what the plain definition says it does") {
  const std::vector<std::string> filters = {
      "foo",   "foo.bar",   "foo.*",  "*.bar", "*",           "*.*",     ">",           "foo.>",
      "*.>",   "foo.*.baz", "foo.b*", "foo>",  "*x",          "foo.*.>", "foo.bar.baz", "*.*.*",
      "*.*.>", "foo.>x",    "foo.**", "fo",    "foo.*.*.qux", "*.bar.>"};
  const std::vector<std::string> subjects = {
      "foo",   "foo.bar", "bar.foo", "foo.bar.baz", "foo.bar.baz.qux",
      "bar",   "fo",      "foo.*",   "*",           ">",
      "foo.>", "*.*",     "foo.b*",  "foo>",        "",
      ".",     "foo.",    ".foo",    "foo..bar",    "foo.bar.",
      "x.bar"};
  Shard shard;
  for (const std::string& filter : filters) {
    REQUIRE(protocol::is_valid_filter(filter));
    REQUIRE(shard.subscribe(filter, filter) != nullptr);
  }
  for (int round = 0; round < 3; round++) {  // The later ones from the cache.
    for (const std::string& subject : subjects) {
      CAPTURE(subject);
      std::set<std::string> expected;
      for (const std::string& filter : filters) {
        if (protocol::matches(filter, subject)) expected.insert(filter);
      }
      CHECK(sids(shard.match(subject).plain) == expected);
    }
  }
  CHECK(shard.interest.match(other_account, "foo").empty());
}

TEST_CASE("interest: a sid belongs to its owner until it is unsubscribed") {
  Shard shard;
  const std::string long_sid(200, 's');
  for (const std::string& sid : {std::string("1"), std::string("1234567890123"), long_sid}) {
    REQUIRE(shard.subscribe(sid, "foo") != nullptr);
    CHECK(shard.subscribe(sid, "bar") == nullptr);
    CHECK(shard.interest.find(1, sid)->sid() == sid);
    CHECK(shard.interest.find(2, sid) == nullptr);
    uint32_t owned = no_subscription;
    REQUIRE(shard.interest.subscribe(global_account, 2, owned, sid, "foo", "") != nullptr);
    shard.unsubscribe(sid);
    CHECK(shard.interest.find(1, sid) == nullptr);
    CHECK(shard.subscribe(sid, "bar") != nullptr);
  }
  CHECK(shard.interest.subscriptions() == 6);
}

TEST_CASE("interest: a queue group is joined over all filters that match, and counts each member") {
  Shard shard(0, 3);
  shard.subscribe("1", "foo.bar", "workers");
  shard.subscribe("2", "foo.*", "workers");
  shard.subscribe("3", "foo.>", "others");
  shard.subscribe("4", "foo.bar");
  shard.subscribe("5", "foo.baz", "workers");
  shard.interest.apply(1, {global_account, "foo.*", "workers", 2, 1});
  shard.interest.apply(2, {global_account, "foo.*", "workers", 5, 1});
  shard.interest.apply(1, {global_account, "foo.bar", "workers", 4, 2});
  shard.interest.apply(2, {global_account, "foo.bar", "", 1, 2});
  for (int round = 0; round < 3; round++) {
    const Plan& plan = shard.match("foo.bar");
    CHECK(sids(plan.plain) == std::set<std::string>{"4"});
    REQUIRE(plan.shards.size() == 1);
    CHECK(plan.shards[0] == 2);
    REQUIRE(plan.queues.size() == 2);
    const bool swapped = plan.queues[0].name != "workers";
    const QueuePlan& workers = plan.queues[swapped ? 1 : 0];
    CHECK(workers.name == "workers");
    CHECK(sids(workers.here) == std::set<std::string>{"1", "2"});
    REQUIRE(workers.elsewhere.size() == 2);
    CHECK(workers.elsewhere[0].shard == 1);
    CHECK(workers.elsewhere[0].members == 6);
    CHECK(workers.elsewhere[1].members == 5);
    CHECK(workers.members_elsewhere == 11);
    CHECK(sids(plan.queues[swapped ? 0 : 1].here) == std::set<std::string>{"3"});
  }
}

TEST_CASE(
    "interest: others are told of the first and the last plain subscription, and each member") {
  Shard shard(0, 2);
  shard.subscribe("1", "foo");
  CHECK(shard.next_change(1) == "foo [] 1");
  const uint64_t epoch = shard.interest.change_epoch();
  shard.subscribe("2", "foo");
  shard.unsubscribe("1");
  CHECK(shard.next_change(1).empty());
  CHECK(shard.interest.change_epoch() == epoch);
  shard.unsubscribe("2");
  CHECK(shard.next_change(1) == "foo [] 0");
  shard.subscribe("3", "foo.*", "q");
  CHECK(shard.next_change(1) == "foo.* [q] 1");
  shard.subscribe("4", "foo.*", "q");
  shard.subscribe("5", "foo.*", "q");
  CHECK(shard.next_change(1) == "foo.* [q] 3");
  shard.unsubscribe("4");
  CHECK(shard.next_change(1) == "foo.* [q] 2");
  CHECK(shard.next_change(1).empty());
}

TEST_CASE("interest: what nobody wants is gone when the last has heard, also if none ever heard") {
  Shard shard(0, 3);
  const size_t idle_bytes = shard.interest.memory_bytes();
  shard.subscribe("1", "foo.*.bar");
  shard.unsubscribe("1");
  shard.interest.reclaim();
  CHECK(shard.match("foo.x.bar").empty());
  CHECK(shard.next_change(1) == "foo.*.bar [] 0");
  CHECK(shard.next_change(1).empty());
  CHECK(shard.next_change(2) == "foo.*.bar [] 0");
  shard.interest.apply(2, {global_account, "never.heard.of", "", 0, 9});
  CHECK(shard.interest.memory_bytes() <= idle_bytes + 40 * 1024);
}

TEST_CASE(
    "interest: subjects and filters of thousands of tokens are matched without a deep stack") {
  Shard shard;
  std::string subject = "t", stars = "*", mixed = "t";
  for (int i = 1; i < 5000; i++) {
    subject += ".t";
    stars += ".*";
    mixed += i % 2 == 0 ? ".t" : ".*";
  }
  shard.subscribe("stars", stars);
  shard.subscribe("mixed", mixed);
  shard.subscribe("open", mixed.substr(0, 9000) + ">");
  shard.subscribe("literal", subject);
  shard.subscribe("longer", stars + ".>");
  CHECK(sids(shard.match(subject).plain) ==
        std::set<std::string>{"stars", "mixed", "open", "literal"});
  CHECK(sids(shard.match(subject + ".t").plain) == std::set<std::string>{"open", "longer"});
  for (const char* sid : {"stars", "mixed", "open", "literal", "longer"}) shard.unsubscribe(sid);
  shard.interest.reclaim();
  CHECK(shard.match(subject).empty());
}

// Every token may be the star or itself, so each level doubles what a walk reaches, and the front
// of the walk overflows.
TEST_CASE("interest: a walk that branches at every token finds each filter once") {
  Shard shard;
  constexpr uint32_t tokens = 8;
  std::set<std::string> all;
  for (uint32_t bits = 0; bits < 1u << tokens; bits++) {
    std::string filter;
    for (uint32_t i = 0; i < tokens; i++) {
      filter += std::string(i == 0 ? "" : ".") + ((bits >> i & 1) != 0 ? "*" : "t");
    }
    shard.subscribe(filter, filter);
    all.insert(filter);
  }
  CHECK(sids(shard.match("t.t.t.t.t.t.t.t").plain) == all);
  CHECK(sids(shard.match("t.t.t.t.t.t.t.x").plain).size() == all.size() / 2);
  CHECK(shard.match("t.t.t.t.t.t.t").empty());
}

TEST_CASE("interest: a plan stays readable while those that it names unsubscribe") {
  Shard shard;
  for (int i = 0; i < 100; i++) shard.subscribe(std::to_string(i), i % 2 == 0 ? "foo" : "foo.>");
  shard.subscribe("100", "foo", "q");
  for (int round = 0; round < 3; round++) shard.match("foo");
  const Plan& plan = shard.match("foo");
  size_t walked = 0;
  for (Subscription* subscription : plan.plain) {
    CHECK(subscription->in_force);
    shard.interest.unsubscribe(*subscription, shard.owned);
    CHECK_FALSE(subscription->in_force);
    walked++;
  }
  shard.unsubscribe("100");
  CHECK(walked == 50);
  REQUIRE(plan.queues.size() == 1);
  CHECK(plan.queues[0].name == "q");
  CHECK(plan.queues[0].here[0]->sid() == "100");
  CHECK(shard.match("foo").empty());
  shard.interest.reclaim();
}

TEST_CASE("interest: connections with ten thousand subscriptions to one subject close in slices") {
  Interest interest(0, 1, 1);
  uint32_t owned[2] = {no_subscription, no_subscription};
  constexpr uint32_t each = 10000;
  for (uint32_t i = 0; i < each * 2; i++) {
    interest.subscribe(global_account, i % 2, owned[i % 2], std::to_string(i), "foo", "");
  }
  for (uint32_t left = each; left > 0; left--) {
    REQUIRE(owned[0] != no_subscription);
    interest.unsubscribe(*interest.at(owned[0]), owned[0]);
    if (left % 100 == 0) interest.reclaim();
    if (left % 1000 == 1)
      REQUIRE(interest.match(global_account, "foo").plain.size() == each + left - 1);
  }
  CHECK(owned[0] == no_subscription);
  for (const Subscription* subscription : interest.match(global_account, "foo").plain) {
    CHECK(subscription->owner == 1);
  }
}

TEST_CASE("interest: ten thousand groups on one subject are each joined by their name") {
  Shard shard;
  constexpr int groups = 10000;
  for (int i = 0; i < groups; i++) {
    shard.subscribe("a" + std::to_string(i), "foo", "g" + std::to_string(i));
    shard.subscribe("b" + std::to_string(i), "*", "g" + std::to_string(i));
  }
  const Plan& plan = shard.match("foo");
  REQUIRE(plan.queues.size() == groups);
  for (const QueuePlan& queue : plan.queues) {
    const std::string number(queue.name.substr(1));
    REQUIRE(sids(queue.here) == std::set<std::string>{"a" + number, "b" + number});
  }
}

// ---- The cache.

TEST_CASE("interest: a subject is cached when it misses twice, and stays through churn elsewhere") {
  Shard shard;
  shard.subscribe("1", "foo.bar.baz");
  shard.subscribe("2", "foo.bar.*");
  shard.match("foo.bar.baz");
  CHECK(shard.interest.cache_stats().insertions == 0);
  shard.match("foo.bar.baz");
  CHECK(shard.interest.cache_stats().insertions == 1);

  // None of these can match it; each has a name that no other counter of these shares.
  const std::vector<std::string> elsewhere = {"foo.bar",   "foo.bar.x", "bar.*",
                                              "foo.baz.*", "bar.>",     "baz.bar.*.x"};
  const uint64_t hits = shard.interest.cache_stats().hits;
  for (const std::string& filter : elsewhere) {
    CAPTURE(filter);
    shard.subscribe("x", filter);
    CHECK(shard.match("foo.bar.baz").plain.size() == 2);
    shard.unsubscribe("x");
    CHECK(shard.match("foo.bar.baz").plain.size() == 2);
  }
  CHECK(shard.interest.cache_stats().hits == hits + 2 * elsewhere.size());

  for (const char* filter : {"foo.bar.baz", "foo.bar.*", "foo.*.baz", "*.bar.baz", "foo.>", ">"}) {
    CAPTURE(filter);
    shard.subscribe("x", filter);
    CHECK(shard.match("foo.bar.baz").plain.size() == 3);
    CHECK(shard.match("foo.bar.baz").plain.size() == 3);
    shard.unsubscribe("x");
    CHECK(shard.match("foo.bar.baz").plain.size() == 2);
  }
}

TEST_CASE("interest: where every subject is new, nothing is cached and what was stays") {
  Shard shard;
  shard.subscribe("1", ">");
  shard.match("hot");
  shard.match("hot");
  const CacheStats before = shard.interest.cache_stats();
  for (int i = 0; i < 20000; i++) shard.match("new." + std::to_string(i));
  CHECK(shard.interest.cache_stats().insertions == before.insertions);
  CHECK(shard.match("hot").plain.size() == 1);
  CHECK(shard.interest.cache_stats().hits == before.hits + 1);
}

TEST_CASE("interest: with more hot subjects than the cache has places, each gets its own plan") {
  Shard shard;
  constexpr int subjects = 12000;
  std::vector<std::string> names;
  for (int i = 0; i < subjects; i++) {
    names.push_back("s." + std::to_string(i));
    shard.subscribe(names.back(), names.back());
  }
  for (int round = 0; round < 3; round++) {
    for (const std::string& name : names) {
      shard.match(name);
      const Plan& plan = shard.match(name);
      REQUIRE(plan.plain.size() == 1);
      REQUIRE(plan.plain[0]->sid() == name);
    }
  }
  CHECK(shard.interest.cache_stats().insertions > MatchCache::entries_max);
  CHECK(shard.interest.memory_bytes() < subjects * 300 + MatchCache::bytes_max);
}

TEST_CASE("interest: the cache holds no more bytes than its bound, whatever plans weigh") {
  Shard shard;
  constexpr int members = 20000;
  for (int i = 0; i < members; i++) shard.subscribe(std::to_string(i), "foo.*");
  const size_t before = shard.interest.memory_bytes();
  for (int i = 0; i < 200; i++) {
    for (int again = 0; again < 2; again++) {
      REQUIRE(shard.match("foo." + std::to_string(i)).plain.size() == members);
    }
  }
  CHECK(shard.interest.cache_stats().insertions == 200);
  CHECK(shard.interest.memory_bytes() < before + MatchCache::bytes_max + 1024 * 1024);
}

TEST_CASE("interest: what one receiver may not see is asked anew for each subject") {
  Shard shard;
  shard.interest.set_delivery_filter(
      {nullptr, [](const void*, const Subscription&, std::string_view subject, std::string_view) {
         return subject != "foo.secret";
       }});
  shard.subscribe("1", "foo.*");
  CHECK(shard.match("foo.open").for_any_last_token);
  shard.interest.subscribe(global_account, 1, shard.owned, "2", "foo.*", {}, true);
  const Plan& open = shard.match("foo.open");
  CHECK(open.plain.size() == 2);
  CHECK(!open.for_any_last_token);
  const Plan& secret = shard.match("foo.secret");
  CHECK(sids(secret.plain) == std::set<std::string>{"1"});
  CHECK(!secret.for_any_last_token);
}

}  // namespace
}  // namespace peal::server
