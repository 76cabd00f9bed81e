#include "protocol/json.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace peal::protocol;

TEST_CASE("json: objects, arrays and every kind of value") {
  JsonWriter json;
  json.begin_object().key("a").begin_array().value(-1).value(2u).value(true).null().end_array();
  json.key("b").value(UINT64_MAX).key("c").value(INT64_MIN).key("d").value(1.5);
  json.key("e").value("t").key("f").begin_object().end_object().end_object();
  CHECK(json.text() ==
        "{\"a\":[-1,2,true,null],\"b\":18446744073709551615,\"c\":-9223372036854775808,"
        "\"d\":1.5,\"e\":\"t\",\"f\":{}}");
}

TEST_CASE("json: text stays inside its quotes, and on its line") {
  JsonWriter json;
  json.value(std::string("\"\\\r\n\0\x1f\x7f\xff/", 9));
  CHECK(json.text() == "\"\\\"\\\\\\r\\n\\u0000\\u001F\x7f\xff/\"");
}

TEST_CASE("json: a text that is nothing at all") {
  JsonWriter json;
  json.value(std::string_view());
  CHECK(json.text() == "\"\"");
}

TEST_CASE("json: grows as it must") {
  JsonWriter json;
  for (int i = 0; i < 1000; i++) json.begin_array();
  json.value(std::string(100'000, 'x'));
  for (int i = 0; i < 1000; i++) json.end_array();
  CHECK(json.text().size() == 102'002);
}
