#include "protocol/connect.hpp"

#include <doctest/doctest.h>

#include <climits>
#include <string>

using namespace peal::protocol;
using namespace std::string_literals;

namespace {

ConnectOptions read(const std::string& json) {
  ConnectOptions options;
  CAPTURE(json);
  REQUIRE(merge_connect(json, options));
  return options;
}

bool accepts(const std::string& json) {
  ConnectOptions options;
  return merge_connect(json, options);
}

}  // namespace

TEST_CASE("connect: fields that are not named keep their value") {
  const ConnectOptions defaults = read("{}");
  CHECK(defaults.verbose);
  CHECK(defaults.pedantic);
  CHECK(defaults.echo);
  CHECK_FALSE(defaults.headers);
  CHECK(defaults.protocol == 0);

  ConnectOptions options;
  REQUIRE(merge_connect(R"({"verbose":false,"name":"n","protocol":1})", options));
  REQUIRE(merge_connect(R"({"echo":false})", options));
  CHECK_FALSE(options.verbose);
  CHECK_FALSE(options.echo);
  CHECK(options.pedantic);
  CHECK(options.name == "n");
  CHECK(options.protocol == 1);
}

TEST_CASE("connect: reads every field") {
  const ConnectOptions o = read(
      R"({"verbose":false,"pedantic":false,"echo":false,"headers":true,"no_responders":true,)"
      R"("tls_required":true,"new_account":true,"protocol":1,"name":"a","lang":"b","version":"c",)"
      R"("user":"d","pass":"e","auth_token":"f","nkey":"g","jwt":"h","sig":"i","proxy_sig":"j",)"
      R"("account":"k","remote_account":"l","framing":"m"})");
  CHECK_FALSE(o.verbose);
  CHECK_FALSE(o.pedantic);
  CHECK_FALSE(o.echo);
  CHECK(o.headers);
  CHECK(o.no_responders);
  CHECK(o.tls_required);
  CHECK(o.new_account);
  CHECK(o.protocol == 1);
  CHECK(o.name + o.lang + o.version + o.user + o.pass + o.auth_token == "abcdef");
  CHECK(o.nkey + o.jwt + o.sig + o.proxy_sig + o.account + o.remote_account + o.framing ==
        "ghijklm");
}

TEST_CASE("connect: keys have no case, escapes in them count, the last of equal ones wins") {
  CHECK_FALSE(read(R"({"VERBOSE":false})").verbose);
  CHECK_FALSE(read(R"({"verbo\u0073e":false})").verbose);
  CHECK(read(R"({"User":"a","user":"b"})").user == "b");
}

TEST_CASE("connect: null changes nothing") {
  CHECK(read("null").verbose);
  const ConnectOptions options = read(R"({"verbose":null,"user":null,"protocol":null})");
  CHECK(options.verbose);
  CHECK(options.user.empty());
}

TEST_CASE("connect: unknown fields are skipped, whatever they hold") {
  for (const char* value :
       {"1", "-1.5e3", "1e300", "true", "null", R"("x")", "[]", "{}", R"([1,[2,{"verbose":1}]])",
        R"({"verbose":1,"user":5})", "99999999999999999999999999"}) {
    CAPTURE(value);
    CHECK_FALSE(read(R"({"zz":)"s + value + R"(,"verbose":false})").verbose);
  }
}

TEST_CASE("connect: what is in a string passes, UTF-8 or not") {
  CHECK(read("{\"name\":\"\xff\xfe\"}").name == "\xff\xfe");
  CHECK(read(R"({"name":"a\u0000b"})").name == "a\0b"s);
  CHECK(read(R"({"name":"\ud83d\ude00\n"})").name == "\xf0\x9f\x98\x80\n");
  CHECK(read("{\"name\":\"" + std::string(1 << 20, 'x') + "\"}").name.size() == 1 << 20);
}

TEST_CASE("connect: what is no JSON object is refused") {
  for (const std::string& json : {""s,
                                  " "s,
                                  "{"s,
                                  "{bad}"s,
                                  "{}x"s,
                                  "{}{}"s,
                                  "[]"s,
                                  "[null]"s,
                                  "5"s,
                                  "\"x\""s,
                                  "true"s,
                                  "nul"s,
                                  "null,"s,
                                  "{\"verbose\":false,}"s,
                                  "{\"verbose\"}"s,
                                  "{\"verbose\":}"s,
                                  "{'verbose':false}"s,
                                  "{verbose:false}"s,
                                  "{\"zz\":tru}"s,
                                  "{\"zz\":01}"s,
                                  "{\"zz\":NaN}"s,
                                  "{\"zz\":-}"s,
                                  "{\"zz\":[}"s,
                                  "{\"zz\":[1,]}"s,
                                  "\xef\xbb\xbf{}"s,
                                  "{}\0"s,
                                  "{}\0x"s,
                                  "\0"s,
                                  "{\"name\":\"a\x01\"}"s,
                                  "{\"name\":\"a\0b\"}"s,
                                  "{\"name\":\"a"s,
                                  "{} // x"s,
                                  "/**/{}"s,
                                  "{\"name\":\"\\ud800\"}"s,
                                  "{\"zz\":1e999}"s,
                                  "{\"name\":\"\\x\"}"s}) {
    CAPTURE(json);
    CHECK_FALSE(accepts(json));
  }
  CHECK(accepts(" \t{ \"verbose\" : false } \t\r"));
}

TEST_CASE("connect: a known field of the wrong type is refused, and nothing is changed") {
  for (const char* member :
       {R"("verbose":1)", R"("verbose":"true")", R"("verbose":{})", R"("verbose":[])",
        R"("pedantic":"x")", R"("new_account":5)", R"("user":5)", R"("user":true)", R"("user":[])",
        R"("pass":{})", R"("protocol":"1")", R"("protocol":true)", R"("protocol":1.0)",
        R"("protocol":1e0)", R"("protocol":99999999999999999999)", R"("protocol":[1])",
        R"("verbose":1,"verbose":false)"}) {
    CAPTURE(member);
    ConnectOptions options;
    options.user = "before";
    CHECK_FALSE(merge_connect(R"({"user":"after",)"s + member + "}", options));
    CHECK(options.user == "before");
  }
}

TEST_CASE("connect: any integer is reported as the protocol") {
  CHECK(read(R"({"protocol":0})").protocol == 0);
  CHECK(read(R"({"protocol":-0})").protocol == 0);
  CHECK(read(R"({"protocol":2})").protocol == 2);
  CHECK(read(R"({"protocol":-1})").protocol == -1);
  CHECK(read(R"({"protocol":99999999999})").protocol == INT_MAX);
  CHECK(read(R"({"protocol":-99999999999})").protocol == INT_MIN);
}

TEST_CASE("connect: depth costs memory, not stack") {
  constexpr size_t depth = 100'000;
  const std::string arrays = std::string(depth, '[') + std::string(depth, ']');
  std::string objects;
  for (size_t i = 0; i < depth; i++) objects += "{\"verbose\":";
  objects += "0" + std::string(depth, '}');
  CHECK_FALSE(read("{\"zz\":" + arrays + ",\"verbose\":false}").verbose);
  CHECK_FALSE(read("{\"zz\":" + objects + ",\"verbose\":false}").verbose);
  CHECK_FALSE(accepts("{\"zz\":" + std::string(depth, '[')));
}
