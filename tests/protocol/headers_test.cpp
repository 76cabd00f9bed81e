#include "protocol/headers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace peal::protocol;

TEST_CASE("headers: nobody listens, byte for byte") {
  for (const std::string& subject :
       {std::string("foo"), std::string("$JS.API.INFO"), std::string(3000, 's')}) {
    const std::string bytes = std::to_string(32 + subject.size());
    std::vector<char> out(no_responders_message_bytes_max("bar", "1", subject));
    char* const end = write_no_responders(out.data(), "bar", "1", subject);
    REQUIRE(size_t(end - out.data()) <= out.size());
    CHECK(std::string(out.data(), end) == "HMSG bar 1 " + bytes + " " + bytes +
                                              "\r\nNATS/1.0 503\r\nNats-Subject: " + subject +
                                              "\r\n\r\n\r\n");
    CHECK(no_responders_bytes(subject) == 32 + subject.size());
  }
}

TEST_CASE("headers: a value is found by its exact name") {
  const std::string block =
      "NATS/1.0 100 Idle: no\r\nA: 1\r\nab:2\r\nB: \t x y \r\nEmpty:\r\nA: second\r\n\r\n";
  CHECK(header_value(block, "A") == "1");
  CHECK(header_value(block, "ab") == "2");
  CHECK(header_value(block, "B") == "x y ");
  CHECK(header_value(block, "Empty") == "");
  for (const char* absent : {"a", "C", "NATS/1.0 100 Idle", "b", "Empt", "x"}) {
    CHECK_FALSE(header_value(block, absent).has_value());
  }
}

TEST_CASE("headers: a block that is none gives no value, and no trouble") {
  for (const std::string& block : {std::string(), std::string("\r"), std::string("\r\n"),
                                   std::string("A: 1\r\n"), std::string("NATS/1.0\r\nA: 1"),
                                   std::string("NATS/1.0\r\nA"), std::string("NATS/1.0\nA: 1\n"),
                                   std::string("NATS/1.0\r\nA\r\n\r\n"), std::string("abcdxx")}) {
    CAPTURE(block);
    CHECK_FALSE(header_value(block, "A").has_value());
  }
}
