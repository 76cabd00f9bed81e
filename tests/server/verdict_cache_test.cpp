#include "server/verdict_cache.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace peal::server {
namespace {

PermissionRules allowing(std::vector<std::string> allow, std::vector<std::string> deny) {
  PermissionRules rules;
  rules.publish.allow = std::move(allow);
  rules.publish.deny = std::move(deny);
  return rules;
}

// Goal: whoever is asked, and however often, the verdict is that of the rules. Method: two users
// whose rules differ on every subject, more subjects than there are places, long ones among them,
// asked in turn and again.
TEST_CASE("verdict cache: the verdict is that of the permissions that are asked for") {
  const Permissions even(allowing({"s.even.>"}, {"s.even.*.secret"}));
  const Permissions odd(allowing({"s.odd.>"}, {}));
  CHECK(even.number() != odd.number());
  VerdictCache cache(1);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 3000; i++) {
      const std::string tail = std::to_string(i) + std::string(i % 80, 'x');
      for (const std::string& subject :
           {"s.even." + tail, "s.odd." + tail, "s.even." + tail + ".secret"}) {
        CHECK(cache.may_publish(even, subject) == even.may_publish(subject));
        CHECK(cache.may_publish(odd, subject) == odd.may_publish(subject));
      }
    }
  }
}

TEST_CASE("verdict cache: what was allowed once is not what others are allowed behind it") {
  VerdictCache cache(1);
  {
    const Permissions before(allowing({"a.>"}, {}));
    CHECK(cache.may_publish(before, "a.b"));
  }
  const Permissions after(allowing({"c.>"}, {}));
  CHECK_FALSE(cache.may_publish(after, "a.b"));
}

}  // namespace
}  // namespace peal::server
