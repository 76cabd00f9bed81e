// What HTTP says before a WebSocket begins, and permessage-deflate.

#include <doctest/doctest.h>

#include "server/websocket_deflate.hpp"
#include "server/websocket_upgrade.hpp"

namespace {

using namespace peal::server;

// The example of RFC 6455, 1.3.
const std::string request =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: "
    "Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    "Cookie: " +
    std::string(9000, 'c') +
    "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

UpgradeReader::Answer answer_to(std::string_view text, const WebSocketOptions& options = {}) {
  UpgradeReader reader;
  CHECK(reader.read(text));
  return reader.answer(UpgradeRules(options));
}

std::string packed(std::string_view text) {
  Deflater deflater;
  deflater.begin();
  deflater.add(text.substr(0, text.size() / 2));
  deflater.add(text.substr(text.size() / 2));
  return std::string(deflater.end());
}

}  // namespace

TEST_CASE("websocket upgrade: the same answer however the request is cut") {
  WebSocketOptions options;
  options.compression = true;
  options.headers = {{"X-One", "1"}};
  const std::string whole = answer_to(request, options).text;
  CHECK(whole.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != whole.npos);
  CHECK(whole.find("permessage-deflate; server_no_context") != whole.npos);
  CHECK(whole.ends_with("X-One: 1\r\n\r\n"));
  for (size_t cut = 1; cut < request.size(); cut++) {
    if (cut > 300 && cut < request.size() - 300) cut = request.size() - 300;  // All one cookie.
    UpgradeReader reader;
    REQUIRE_FALSE(reader.read(std::string_view(request).substr(0, cut)));
    REQUIRE(reader.read(std::string_view(request).substr(cut)));
    REQUIRE(reader.answer(UpgradeRules(options)).text == whole);
  }
  UpgradeReader reader;
  for (size_t i = 0; i + 1 < request.size(); i++) REQUIRE_FALSE(reader.read({&request[i], 1}));
  REQUIRE(reader.read("\n"));
  CHECK(reader.answer(UpgradeRules(options)).text == whole);
}

TEST_CASE("websocket upgrade: bytes behind the request, or no end to it") {
  CHECK(answer_to(request + "x").status == 400);
  CHECK(answer_to(request.substr(0, request.size() - 2) + "Host: again\r\n\r\n").status == 400);
  CHECK(answer_to("GET / HTTP/1.1\r\nOrigin: " + std::string(600, 'x')).status == 431);
  UpgradeReader reader;
  bool ended = false;
  for (size_t i = 0; i <= UpgradeReader::request_bytes_max / 4 && !ended; i++) {
    ended = reader.read(i == 0 ? "GET / HTTP/1.1\r\nX: " : "xxxx");
  }
  CHECK(ended);
  CHECK(reader.answer(UpgradeRules({})).status == 431);
}

TEST_CASE("websocket upgrade: what an origin is") {
  CHECK(read_origin("http://a.example")->port == 80);
  CHECK(read_origin("HTTPS://A.Example/path")->host == "a.example");
  CHECK(read_origin("https://a.example") == read_origin("https://a.example:443"));
  CHECK(read_origin("http://[::1]:8080")->host == "[::1]");
  CHECK(read_origin("http://[::1]")->port == 80);
  for (const char* text : {"", "null", "*", "http://", "http://*", "ftp://a", "a.example",
                           "http://a:b", "http://a:99999", "http://a b", "http://user@a"}) {
    CAPTURE(text);
    CHECK_FALSE(read_origin(text));
  }
}

TEST_CASE("websocket deflate: in pieces of any size, and back") {
  std::string text;
  for (int i = 0; i < 5000; i++) text += "message " + std::to_string(i * 7919 % 1000) + "\r\n";
  const std::string small = packed(text);
  CHECK(small.size() < text.size() / 2);
  for (const size_t in_bytes : {size_t{1}, size_t{7}, small.size()}) {
    for (const size_t out_bytes : {1, 100, 100'000}) {
      Inflater inflater;
      inflater.begin();
      std::string out, room(out_bytes, '\0');
      for (size_t at = 0; at < small.size(); at += in_bytes) {
        const bool last = at + in_bytes >= small.size();
        inflater.set_input(std::string_view(small).substr(at, in_bytes), last);
        Inflater::Outcome outcome;
        do {
          size_t filled = 0;
          outcome = inflater.read(room, filled);
          out.append(room, 0, filled);
          // What a pause does: what is left is kept, and given again.
          const std::string rest(inflater.rest());
          const bool rest_is_last = inflater.rest_is_last();
          REQUIRE(outcome != Inflater::Outcome::broken);
          if (outcome == Inflater::Outcome::more) {
            static std::string kept;
            kept = rest;
            inflater.set_input(kept, rest_is_last);
          }
        } while (outcome == Inflater::Outcome::more);
      }
      REQUIRE(out == text);
    }
  }
}

TEST_CASE("websocket deflate: an empty message, one that ends its stream, and one that is none") {
  const auto inflated = [](std::string_view input) -> std::string {
    Inflater inflater;
    inflater.begin();
    inflater.set_input(input, true);
    char out[100];
    size_t filled = 0;
    if (inflater.read(out, filled) == Inflater::Outcome::broken) return "broken";
    return {out, filled};
  };
  CHECK(inflated(packed("")) == "");
  CHECK(inflated("") == "");
  CHECK(inflated(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00", 7)) == "Hello");  // RFC 7692, 7.2.3.4
  CHECK(inflated(std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)) == "Hello");  // 7.2.3.1
  CHECK(inflated(std::string("\x00\x05\x00\xfa\xff"
                             "Hello\x00",
                             11)) == "Hello");  // 7.2.3.3
  CHECK(inflated("\xff\xff\xff") == "broken");
}
