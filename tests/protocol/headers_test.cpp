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
