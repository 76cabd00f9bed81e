#include "server/monitor/head_lines.hpp"

#include <doctest/doctest.h>

#include <string>

using peal::server::monitor::HeadLines;

namespace {

std::string head(size_t lines) {
  std::string text;
  for (size_t line = 0; line < lines; line++) text += "a: b\r\n";
  return text;
}

}  // namespace

TEST_CASE("head lines: as many as may be, and not one more") {
  CHECK(HeadLines().take(head(HeadLines::lines_max) + "\r\n"));
  CHECK_FALSE(HeadLines().take(head(HeadLines::lines_max + 1)));
}

TEST_CASE("head lines: wherever the bytes are cut") {
  const std::string much = head(HeadLines::lines_max + 1);
  HeadLines whole;
  for (size_t at = 0; at + 1 < much.size(); at++) REQUIRE(whole.take(much.substr(at, 1)));
  CHECK_FALSE(whole.take(much.substr(much.size() - 1)));
}

TEST_CASE("head lines: an empty line begins the next head, with and without a CR") {
  for (const char* const empty : {"\r\n", "\n"}) {
    HeadLines lines;
    for (int request = 0; request < 100; request++) CHECK(lines.take(head(100) + empty));
  }
}

TEST_CASE("head lines: what was refused stays so") {
  HeadLines lines;
  CHECK_FALSE(lines.take(head(HeadLines::lines_max + 1)));
  CHECK_FALSE(lines.take("\r\n"));
}
