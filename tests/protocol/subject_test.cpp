#include "protocol/subject.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace peal::protocol;

TEST_CASE("subject: filters have no empty token, and > only at the end") {
  for (const char* good : {"a", "*", ">", "a.b", "a.*", "*.a", "a.>", "*.>", "*.*", "a*", "x>",
                           "**", ">>", "a*b.c", ">a.b", "a.b>.c", "caf\xc3\xa9", "$SYS.>"}) {
    CAPTURE(good);
    CHECK(is_valid_filter(good));
  }
  for (const char* bad : {"", ".", "..", ".a", "a.", "a..b", ">.a", "a.>.b", "a.>.", ">.>", "*."}) {
    CAPTURE(bad);
    CHECK_FALSE(is_valid_filter(bad));
  }
}

TEST_CASE("subject: literals are filters without wildcards") {
  for (const char* good : {"a", "a.b", "a*", "x>", "a.b*.c", ">>"}) CHECK(is_valid_literal(good));
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "*", ">", "a.*", "a.>", "*.b", ">.b"}) {
    CHECK_FALSE(is_valid_literal(bad));
  }
}

TEST_CASE("subject: a wildcard is a whole token") {
  for (const char* wild : {"*", ">", "a.*", "*.a", "a.>", "a.*.b"}) CHECK(has_wildcard(wild));
  for (const char* plain : {"", "a", "a*", "*a", "**", ">>", "a>.b", "a.b*"}) {
    CHECK_FALSE(has_wildcard(plain));
  }
}

TEST_CASE("subject: empty tokens are at either end, and between two dots") {
  for (const char* empty : {"", ".", ".a", "a.", "a..b"}) CHECK(has_empty_token(empty));
  for (const char* full : {"a", "a.b", "*.>", "a.b.c"}) CHECK_FALSE(has_empty_token(full));
  // Wherever two dots stand in a text of any usual length, and nothing but two in a row.
  for (size_t bytes = 4; bytes <= 40; bytes++) {
    for (size_t at = 1; at + 2 < bytes; at++) {
      CAPTURE(bytes);
      CAPTURE(at);
      std::string subject(bytes, 'a');
      subject[at] = '.';
      CHECK_FALSE(has_empty_token(subject));
      subject[at + 1] = '.';
      CHECK(has_empty_token(subject));
      subject[at + 1] = 'a';
      if (at + 3 < bytes) subject[at + 2] = '.';
      CHECK_FALSE(has_empty_token(subject));
    }
  }
}

TEST_CASE("subject: tokens come one by one") {
  const auto tokens_of = [](std::string_view subject) {
    std::vector<std::string_view> found;
    Tokens tokens(subject);
    for (std::string_view token; tokens.next(token);) found.push_back(token);
    return found;
  };
  CHECK(tokens_of("a.bc.d") == std::vector<std::string_view>{"a", "bc", "d"});
  CHECK(tokens_of("") == std::vector<std::string_view>{""});
  CHECK(tokens_of(".a.") == std::vector<std::string_view>{"", "a", ""});
}

TEST_CASE("subject: what a filter hears") {
  struct Row {
    const char* filter;
    const char* subject;
    bool heard;
  };
  for (const Row& row : std::vector<Row>{{"foo", "foo", true},
                                         {"foo", "fo", false},
                                         {"foo", "foo.bar", false},
                                         {"foo.bar", "foo", false},
                                         {"*", "foo", true},
                                         {"*", "foo.bar", false},
                                         {"foo.*", "foo.bar", true},
                                         {"foo.*", "foo", false},
                                         {"foo.*", "foo.bar.baz", false},
                                         {"*.bar", "foo.bar", true},
                                         {"*.bar", "foo.baz", false},
                                         {">", "foo", true},
                                         {">", "foo.bar.baz", true},
                                         {"foo.>", "foo.bar", true},
                                         {"foo.>", "foo.a.b.c", true},
                                         {"foo.>", "foo", false},
                                         {"foo.>", "bar.foo", false},
                                         {"*.*.>", "a.b.c", true},
                                         {"*.*.>", "a.b", false},
                                         {"foo.*bar", "foo.*bar", true},
                                         {"foo.*bar", "foo.zbar", false},
                                         // Wildcards in what is published are text.
                                         {"foo.*", "foo.*", true},
                                         {">", "foo.>", true},
                                         {"foo.bar", "foo.*", false},
                                         {"foo.>", "foo.>", true},
                                         {"foo.*", "foo.>", true},
                                         {"a.b", "a.>", false},
                                         // Nobody hears a subject with an empty token.
                                         {">", "foo..bar", false},
                                         {">", ".foo", false},
                                         {">", "", false},
                                         {"foo.*.bar", "foo..bar", false},
                                         {"foo.*", "foo.", false},
                                         {"*", "", false}}) {
    CAPTURE(row.filter);
    CAPTURE(row.subject);
    CHECK(matches(row.filter, row.subject) == row.heard);
  }
}
