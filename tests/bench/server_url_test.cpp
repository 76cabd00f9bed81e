#include "tools/bench/server_url.hpp"

#include <doctest/doctest.h>

namespace peal::bench {
namespace {

std::vector<ServerUrl> urls(std::string_view text) {
  auto parsed = parse_server_urls(text);
  if (auto* error = std::get_if<std::string>(&parsed)) FAIL(*error);
  return std::get<std::vector<ServerUrl>>(parsed);
}

TEST_CASE("server url: scheme and port may be left out") {
  for (const char* text : {"nats://localhost:4222", "localhost:4222", "localhost", "localhost/"}) {
    CAPTURE(text);
    CHECK(urls(text) == std::vector{ServerUrl{.host = "localhost", .port = 4222}});
  }
}

TEST_CASE("server url: who we are stands before the last @") {
  CHECK(urls("nats://me:p@ss:word@h:1")[0] ==
        ServerUrl{.host = "h", .port = 1, .user = "me", .password = "p@ss:word"});
  CHECK(urls("nats://token@h")[0] == ServerUrl{.host = "h", .user = "token"});
}

TEST_CASE("server url: escapes stand for their bytes in names and passwords") {
  CHECK(urls("nats://a%3ab:p%40%2C%2f%25@h")[0] ==
        ServerUrl{.host = "h", .user = "a:b", .password = "p@,/%"});
  CHECK(urls("%74ok%65n@h")[0] == ServerUrl{.host = "h", .user = "token"});
}

TEST_CASE("server url: TLS is asked for by its scheme") {
  CHECK(urls("tls://h:1")[0] == ServerUrl{.host = "h", .port = 1, .tls = true});
  CHECK_FALSE(urls("nats://h:1")[0].tls);
}

TEST_CASE("server url: several have commas between, IPv6 has brackets") {
  const auto parsed = urls("a:1,nats://b:2,[::1]:3,[::1]");
  REQUIRE(parsed.size() == 4);
  CHECK(parsed[0].host == "a");
  CHECK(parsed[1].port == 2);
  CHECK(parsed[2] == ServerUrl{.host = "::1", .port = 3});
  CHECK(parsed[3] == ServerUrl{.host = "::1", .port = 4222});
}

TEST_CASE("server url: what is no server is refused in a sentence") {
  for (const char* text : {"", "nats://", "http://h", "tls://", "h:", "h:0", "h:65536", "h:4222x",
                           "a,,b", "[::1", "[::1]4222", "u:p@", "u:%zz@h", "u:p%4@h", "u%:p@h",
                           "%4:p@h", "u:% 4@h", "u:%-4@h", "%@h"}) {
    CAPTURE(text);
    CHECK(std::holds_alternative<std::string>(parse_server_urls(text)));
  }
}

}  // namespace
}  // namespace peal::bench
