// Permissions, each against the plain reading of its rules.
#include "server/permissions.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "protocol/subject.hpp"
#include "server/reply_permits.hpp"

namespace peal::server {
namespace {

using Texts = std::vector<std::string>;

PermissionRules subscribe_rules(std::optional<Texts> allow, Texts deny) {
  PermissionRules rules;
  rules.subscribe = {std::move(allow), std::move(deny)};
  return rules;
}
PermissionRules publish_rules(std::optional<Texts> allow, Texts deny) {
  PermissionRules rules;
  rules.publish = {std::move(allow), std::move(deny)};
  return rules;
}

TEST_CASE("permissions: without rules everything is allowed") {
  const Permissions all({});
  CHECK(all.may_publish("a.b"));
  CHECK(all.may_subscribe(">", ""));
  CHECK(all.may_subscribe(">", "q"));
  CHECK_FALSE(all.filters(">"));
  CHECK_FALSE(all.restricts_publish());
}

TEST_CASE("permissions: what is denied is denied whatever is allowed") {
  const Permissions some(publish_rules(Texts{"a.>", "b"}, {"a.secret", "*.x"}));
  CHECK(some.may_publish("a.b"));
  CHECK(some.may_publish("b"));
  CHECK_FALSE(some.may_publish("c"));
  CHECK_FALSE(some.may_publish("a.secret"));
  CHECK_FALSE(some.may_publish("a.x"));
  CHECK(some.may_publish("a.secret.b"));
  CHECK_FALSE(some.may_publish("a..b"));
}

TEST_CASE("permissions: who may answer may do nothing else unless it is said") {
  PermissionRules rules;
  rules.responses.emplace();
  CHECK_FALSE(Permissions(rules).may_publish("a"));
  rules.publish.allow = Texts{"a"};
  CHECK(Permissions(rules).may_publish("a"));
  CHECK_FALSE(Permissions(rules).may_publish("b"));
}

TEST_CASE("permissions: rules that name a queue") {
  const Permissions gated(subscribe_rules(Texts{"foo", "foo v1.*"}, {}));
  CHECK(gated.may_subscribe("foo", ""));
  CHECK(gated.may_subscribe("foo", "v1.a"));
  CHECK_FALSE(gated.may_subscribe("foo", "v2"));
  const Permissions only(subscribe_rules(Texts{"foo v1"}, {}));
  CHECK_FALSE(only.may_subscribe("foo", ""));
  CHECK(only.may_subscribe("foo", "v1"));
  // The bug that this keeps out: a rule that denies a queue making void one that denies all.
  const Permissions both(subscribe_rules({}, {"foo", "foo v1"}));
  CHECK_FALSE(both.may_subscribe("foo", ""));
  CHECK_FALSE(both.may_subscribe("foo", "v1"));
  CHECK_FALSE(both.may_subscribe("foo", "other"));
  const Permissions one(subscribe_rules({}, {"foo v1.>"}));
  CHECK(one.may_subscribe("foo", ""));
  CHECK(one.may_subscribe("foo", "other"));
  CHECK_FALSE(one.may_subscribe("foo", "v1.a"));
  // A name that is no subject must not slip past a wildcard.
  CHECK_FALSE(one.may_subscribe("foo", "v1..a"));
}

TEST_CASE("permissions: queues whose own names are wildcards") {
  const auto both = [](const char* rule, const char* queue) {
    const bool allowed = Permissions(subscribe_rules(Texts{rule}, {})).may_subscribe("a", queue);
    CHECK(Permissions(subscribe_rules({}, {rule})).may_subscribe("a", queue) == !allowed);
    return allowed;
  };
  CHECK_FALSE(both("a *", ">"));
  CHECK(both("a *", "*"));
  CHECK(both("a >", "*"));
  CHECK(both("a >", ">"));
  CHECK_FALSE(both("a q.*", "q.>"));
  CHECK(both("a q.*", "q.*"));
  CHECK(both("a q.>", "q.>"));
  CHECK_FALSE(both("a *.x", ">.x"));
  CHECK_FALSE(both("a q", "*"));
  CHECK_FALSE(both("a q.*.>", "q.>.x"));
  CHECK(both("a >", "q..x"));
  CHECK(both("a q.>", "q."));
  // A name that is no subject is what any rule denies.
  CHECK_FALSE(Permissions(subscribe_rules(Texts{"a *.>"}, {})).may_subscribe("a", ".q"));
  CHECK_FALSE(Permissions(subscribe_rules({}, {"a *.>"})).may_subscribe("a", ".q"));
}

TEST_CASE("permissions: a rule is a filter, or a filter and a queue") {
  CHECK(read_subscribe_rule("a.*")->queue.empty());
  CHECK(read_subscribe_rule("a.> q.*")->filter == "a.>");
  CHECK(read_subscribe_rule("a.> \t q.*")->queue == "q.*");
  for (const char* bad : {"", " ", "a ", " a", "a b c", "a..b", "a q..r", ".", "a.>.b"}) {
    CAPTURE(bad);
    CHECK_FALSE(read_subscribe_rule(bad));
  }
}

// Subjects of one to three tokens over a small alphabet, so that rules and subjects meet.
class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(engine_() % bound); }
  std::string subject(bool wild) {
    std::string text;
    for (uint32_t i = 0, tokens = 1 + below(3); i < tokens; i++) {
      if (i > 0) text += '.';
      if (wild && i + 1 == tokens && below(5) == 0) {
        text += '>';
      } else {
        text += wild && below(4) == 0 ? "*" : std::string(1, static_cast<char>('a' + below(3)));
      }
    }
    return text;
  }
  Texts rules(bool queues) {
    Texts texts;
    for (uint32_t i = below(4); i > 0; i--) {
      texts.push_back(subject(true));
      if (queues && below(3) == 0) texts.back() += " " + subject(true);
    }
    return texts;
  }

 private:
  std::mt19937_64 engine_;
};

// All subjects of up to three tokens over the alphabet: what a filter could ever hear.
Texts all_subjects() {
  Texts subjects, last{""};
  for (int tokens = 1; tokens <= 4; tokens++) {
    Texts longer;
    for (const std::string& front : last) {
      for (const char* token : {"a", "b", "c", "d"}) {
        longer.push_back(front.empty() ? token : front + "." + token);
      }
    }
    subjects.insert(subjects.end(), longer.begin(), longer.end());
    last = longer;
  }
  return subjects;
}

uint64_t seed_of_run() {
  const char* const given = std::getenv("PEAL_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Goal: covers() and overlap() are what matching every subject would say. Method: all subjects that
// could make a difference, against random pairs of filters.
TEST_CASE("permissions: filters cover and overlap as their subjects do") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  Chance chance(seed);
  const Texts subjects = all_subjects();
  for (int round = 0; round < 400; round++) {
    const std::string one = chance.subject(true), other = chance.subject(true);
    CAPTURE(one);
    CAPTURE(other);
    bool all = true, any = false;
    for (const std::string& subject : subjects) {
      const bool left = protocol::matches(one, subject), right = protocol::matches(other, subject);
      all = all && (!right || left);
      any = any || (left && right);
    }
    CHECK(protocol::covers(one, other) == all);
    CHECK(protocol::overlap(one, other) == any);
  }
}

// Goal: verdicts are those of a naive reading of the lists, and a subscription that is not filtered
// has nothing that would have to be filtered.
TEST_CASE("permissions: random rules against a naive model") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  Chance chance(seed);
  const Texts subjects = all_subjects();
  const auto any = [](const Texts& filters, const std::string& subject) {
    return std::ranges::any_of(filters, [&](const std::string& filter) {
      return filter.find(' ') == std::string::npos && protocol::matches(filter, subject);
    });
  };
  const auto any_queue = [](const Texts& rules, const std::string& subject,
                            const std::string* queue) {
    return std::ranges::any_of(rules, [&](const std::string& rule) {
      const size_t blank = rule.find(' ');
      return blank != std::string::npos && protocol::matches(rule.substr(0, blank), subject) &&
             (queue == nullptr || protocol::matches(rule.substr(blank + 1), *queue));
    });
  };
  for (int round = 0; round < 600; round++) {
    std::optional<Texts> allow;
    if (chance.below(3) > 0) allow = chance.rules(true);
    const Texts deny = chance.rules(true);
    const Permissions sub(subscribe_rules(allow, deny));
    const std::string filter = chance.subject(true);
    const std::string queue = chance.below(2) == 0 ? "" : chance.subject(false);
    CAPTURE(filter);
    CAPTURE(queue);
    const auto permitted = [&](const std::string& subject) {
      bool verdict = !allow || any(*allow, subject);
      if (allow && !queue.empty() && any_queue(*allow, subject, nullptr)) {
        verdict = any_queue(*allow, subject, &queue);
      }
      return verdict && !any(deny, subject) && (queue.empty() || !any_queue(deny, subject, &queue));
    };
    CHECK(sub.may_subscribe(filter, queue) == permitted(filter));
    for (int i = 0; i < 20; i++) {
      const std::string& subject = subjects[chance.below(static_cast<uint32_t>(subjects.size()))];
      CHECK(sub.may_receive(subject, queue) == permitted(subject));
    }
    if (sub.may_subscribe(filter, queue) && !sub.filters(filter)) {
      for (const std::string& subject : subjects) {
        if (protocol::matches(filter, subject)) REQUIRE(permitted(subject));
      }
    }

    std::optional<Texts> publish_allow;
    if (chance.below(3) > 0) publish_allow = chance.rules(false);
    const Texts publish_deny = chance.rules(false);
    const Permissions pub(publish_rules(publish_allow, publish_deny));
    const std::string subject = chance.subject(false);
    CHECK(pub.may_publish(subject) ==
          ((!publish_allow || any(*publish_allow, subject)) && !any(publish_deny, subject)));
  }
}

TEST_CASE("reply permits: so often, and so long") {
  ResponseRules rules;
  rules.messages_max = 2;
  rules.expires = std::chrono::seconds(1);
  ReplyPermits permits(rules);
  CHECK_FALSE(permits.permits("r", 0));
  permits.grant("r", 0);
  CHECK(permits.permits("r", 0));
  permits.count("r");
  CHECK(permits.permits("r", 0));
  permits.count("r");
  CHECK_FALSE(permits.permits("r", 0));
  permits.grant("r", 10);
  CHECK_FALSE(permits.permits("r", 1'000'000'010));
  CHECK(permits.permits("r", 1'000'000'009));
}

TEST_CASE("reply permits: negative is unlimited") {
  ResponseRules rules;
  rules.messages_max = -1;
  rules.expires = std::chrono::seconds(-1);
  ReplyPermits permits(rules);
  permits.grant("r", 0);
  for (int i = 0; i < 100; i++) permits.count("r");
  CHECK(permits.permits("r", INT64_MAX - 1));
}

TEST_CASE("reply permits: the oldest goes when there is no room") {
  ResponseRules rules;
  rules.expires = std::chrono::seconds(-1);
  ReplyPermits permits(rules);
  for (size_t i = 0; i < ReplyPermits::permits_max + 10; i++) {
    permits.grant("r" + std::to_string(i), 0);
  }
  CHECK(permits.size() <= ReplyPermits::permits_max);
  CHECK_FALSE(permits.permits("r0", 0));
  CHECK(permits.permits("r" + std::to_string(ReplyPermits::permits_max + 9), 0));
}

TEST_CASE("reply permits: long subjects have room for fewer") {
  ResponseRules rules;
  rules.expires = std::chrono::seconds(-1);
  ReplyPermits permits(rules);
  const auto long_subject = [](int i) { return std::string(4000, 'r') + std::to_string(i); };
  for (int i = 0; i < 1000; i++) permits.grant(long_subject(i), 0);
  CHECK(permits.size() <= ReplyPermits::subject_bytes_max / 4000);
  CHECK_FALSE(permits.permits(long_subject(0), 0));
  CHECK(permits.permits(long_subject(999), 0));
}

TEST_CASE("reply permits: one that is granted again has its new place in line") {
  ResponseRules rules;
  rules.expires = std::chrono::seconds(-1);
  ReplyPermits permits(rules);
  permits.grant("r", 0);
  for (size_t i = 0; i < ReplyPermits::permits_max - 10; i++) permits.grant(std::to_string(i), 0);
  permits.grant("r", 0);
  for (size_t i = 0; i < 100; i++) permits.grant("other" + std::to_string(i), 0);
  CHECK(permits.permits("r", 0));
  CHECK_FALSE(permits.permits("0", 0));
}

TEST_CASE("reply permits: one that was used up and granted anew outlives its first place in line") {
  ResponseRules rules;
  rules.expires = std::chrono::seconds(-1);
  ReplyPermits permits(rules);
  permits.grant("r", 0);
  permits.count("r");
  permits.grant("r", 0);
  for (int i = 0; i < 100; i++) permits.grant("other" + std::to_string(i), 0);
  CHECK(permits.permits("r", 0));
}

}  // namespace
}  // namespace peal::server
