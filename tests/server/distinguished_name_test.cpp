// Which spellings are one distinguished name, which are two, and what is none.
#include "server/distinguished_name.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace peal::server {
namespace {

using namespace std::string_view_literals;

std::string key(std::string_view text) {
  const auto name = DistinguishedName::parse(text);
  REQUIRE_MESSAGE(name, "is no name: " << std::string(text));
  return name->key_in_order();
}

std::string any_order_key(std::string_view text) {
  const auto name = DistinguishedName::parse(text);
  REQUIRE_MESSAGE(name, "is no name: " << std::string(text));
  return name->key_in_any_order();
}

TEST_CASE(
    "distinguished name: types in small letters, and blanks around signs, are no difference") {
  CHECK(key("cn=svc, Ou = Dev ,o=Acme") == key("CN=svc,OU=Dev,O=Acme"));
  CHECK(key("  CN=svc  ") == key("CN=svc"));
  CHECK(key("CN=a + O=b") == key("CN=a+O=b"));
  CHECK(key("CN=a b") != key("CN=a  b"));
}

TEST_CASE("distinguished name: a value counts to the byte") {
  CHECK(key("CN=svc") != key("CN=Svc"));
  CHECK(key("CN=svc") != key("CN=svc1"));
  CHECK(key("CN=svc") != key("O=svc"));
  CHECK(key("CN=J\xc3\xbcrgen") != key("CN=Jurgen"));
}

TEST_CASE("distinguished name: a byte may be escaped, by itself or as two digits") {
  CHECK(key("CN=J\\C3\\bcrgen") == key("CN=J\xc3\xbcrgen"));
  CHECK(key("O=Acme\\, Inc") == key("O=Acme\\2c Inc"));
  CHECK(key("O=Acme\\,") == key("O=Acme\\2C"));
  CHECK(key("CN=\\ a\\ ") == key("CN=\\20a\\20"));
  CHECK(key("CN=\\ a\\  ") == key("CN=\\20a\\20"));
  CHECK(key("CN=\\ a") != key("CN=a"));
  CHECK(key("CN=\\#\\\"\\+\\,\\;\\<\\=\\>\\\\") == key("CN=\\23\\22\\2b\\2c\\3b\\3c\\3d\\3e\\5c"));
  CHECK(key("CN=a\\00b") != key("CN=a"));
}

TEST_CASE("distinguished name: all ten types, and no other") {
  for (const char* const type :
       {"C", "O", "OU", "CN", "SERIALNUMBER", "L", "ST", "STREET", "POSTALCODE", "DC"}) {
    CHECK(DistinguishedName::parse(std::string(type) + "=x"));
  }
  CHECK_FALSE(DistinguishedName::parse("emailAddress=a@b.c"));
  CHECK_FALSE(DistinguishedName::parse("2.5.4.3=svc"));
  CHECK_FALSE(DistinguishedName::parse("CN=svc,UID=x"));
}

TEST_CASE("distinguished name: the order of parts counts for one key, and not for the other") {
  CHECK(key("CN=svc,O=Acme") != key("O=Acme,CN=svc"));
  CHECK(any_order_key("CN=svc,O=Acme") == any_order_key("O=Acme,CN=svc"));
  CHECK(any_order_key("DC=a,DC=b,CN=c") == any_order_key("CN=c,DC=b,DC=a"));
}

TEST_CASE("distinguished name: how often a part is there counts") {
  CHECK(any_order_key("OU=a,OU=a,CN=c") != any_order_key("OU=a,CN=c"));
  CHECK(any_order_key("OU=a,OU=a,OU=b") != any_order_key("OU=a,OU=b,OU=b"));
}

TEST_CASE("distinguished name: the attributes of a part have no order, and are no parts") {
  CHECK(key("CN=a+O=b,C=DE") == key("O=b+CN=a,C=DE"));
  CHECK(any_order_key("CN=a+O=b") != any_order_key("CN=a,O=b"));
  CHECK(any_order_key("CN=a+O=b,C=DE") != any_order_key("CN=a,O=b+C=DE"));
  CHECK(any_order_key("CN=a+O=b") != any_order_key("CN=b+O=a"));
}

TEST_CASE("distinguished name: no value can look like more than itself") {
  CHECK(key("CN=a\\,O\\=b") != key("CN=a,O=b"));
  CHECK(key("CN=a\\+O\\=b") != key("CN=a+O=b"));
  CHECK(key("CN=a\\,O\\=1:b") != key("CN=a,O=b"));
  CHECK(key("CN=1:a") != key("CN=a"));
}

TEST_CASE("distinguished name: what is none") {
  for (const std::string_view text :
       {""sv,           " "sv,          "alice"sv,     "alice@x.y"sv, "="sv,        "=a"sv,
        " =a"sv,        "CN"sv,         "CN="sv,       "CN= "sv,      "CN=,O=b"sv,  "CN=a,"sv,
        "CN=a, "sv,     "CN=a+"sv,      "CN=a,,O=b"sv, ",CN=a"sv,     "+CN=a"sv,    "CN=a,b"sv,
        "CN=a+b,O=c"sv, "CN=a=b"sv,     "CN=a\\"sv,    "CN=a\\4"sv,   "CN=a\\4g"sv, "CN=a\\g4"sv,
        "CN=a\\b"sv,    "CN=#0401ff"sv, "C N=a"sv,     "C\\N=a"sv,    "CN\0=a"sv}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(DistinguishedName::parse(text));
  }
}

TEST_CASE("distinguished name: put together, it is what its text says") {
  DistinguishedName name;
  CHECK(name.empty());
  CHECK(name.add({{"CN", "svc"}, {"OU", "a,b"}}));
  CHECK(name.add({{"O", "Acme"}}));
  CHECK(name.key_in_order() == key("OU=a\\,b+CN=svc,O=Acme"));
}

TEST_CASE("distinguished name: a part that cannot be is not added") {
  DistinguishedName name;
  CHECK_FALSE(name.add({}));
  CHECK_FALSE(name.add({{"CN", ""}}));
  CHECK_FALSE(name.add({{"UID", "x"}}));
  CHECK_FALSE(name.add({{"CN", "x"}, {"", "y"}}));
  CHECK(name.empty());
}

}  // namespace
}  // namespace peal::server
