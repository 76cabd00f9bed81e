#include "server/subject_aliases.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace peal::server;

TEST_CASE("subject aliases: a number stands for what it was given last") {
  SubjectAliases aliases;
  CHECK(aliases.find(0) == nullptr);
  CHECK(aliases.find(1) == nullptr);
  SubjectAlias* const seven = aliases.name(7, "orders.new");
  REQUIRE(seven != nullptr);
  CHECK(aliases.find(7) == seven);
  CHECK(aliases.find(6) == nullptr);
  CHECK(aliases.find(8) == nullptr);
  CHECK(aliases.find(UINT32_MAX) == nullptr);
  REQUIRE(aliases.name(256, "other") != nullptr);
  CHECK(aliases.name(7, "orders.old") == seven);
  CHECK(seven->subject == "orders.old");
}

TEST_CASE("subject aliases: the route of a subject goes with its name, and stays with the same") {
  SubjectAliases aliases;
  SubjectAlias& alias = *aliases.name(1, "a.b");
  alias.memo.remember(5, 1, global_account, "a.b", Plan{});
  REQUIRE(alias.memo.recalls(5, global_account, "a.b"));
  aliases.name(1, "a.b");
  CHECK(alias.memo.holds(5));
  aliases.name(1, "a.c");
  CHECK_FALSE(alias.memo.holds(5));
}

TEST_CASE("subject aliases: numbers and names are bounded") {
  SubjectAliases aliases;
  CHECK(aliases.name(0, "a") == nullptr);
  CHECK(aliases.name(SubjectAliases::aliases_max + 1, "a") == nullptr);
  CHECK(aliases.name(UINT32_MAX, "a") == nullptr);
  const std::string half(SubjectAliases::names_bytes_max / 2, 'h');
  CHECK(aliases.name(1, half) != nullptr);
  CHECK(aliases.name(2, half) != nullptr);
  CHECK(aliases.name(3, "x") == nullptr);
  CHECK(aliases.find(3) == nullptr);
  CHECK(aliases.name(2, half.substr(1)) != nullptr);
  CHECK(aliases.name(3, "x") != nullptr);
  CHECK(aliases.name(3, "xy") == nullptr);
  CHECK(aliases.find(3)->subject == "x");
}
