#include "server/config_keys.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace peal::server {
namespace {

using namespace std::chrono_literals;

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void check_names(std::span<const ConfigKey> keys, std::set<std::string_view> seen = {}) {
  for (const ConfigKey& key : keys) {
    CAPTURE(key.names);
    for (const std::string_view name : names_of({&key, 1})) {
      CHECK(seen.insert(name).second);
      CHECK(find_key(keys, name) == &key);
    }
    check_names(key.keys);
  }
}

TEST_CASE("config keys: no name means two things") {
  std::set<std::string_view> seen;
  for (const std::string_view name : top_names()) {
    CAPTURE(name);
    CHECK(seen.insert(name).second);
  }
  for (const ConfigGroup& group : config_groups()) check_names(group.keys);
}

TEST_CASE("config keys: every one works, or says what becomes of it") {
  for (const ConfigGroup& group : config_groups()) {
    for (const ConfigKey& key : group.keys) {
      CAPTURE(key.names);
      CHECK(!key.note.empty());
      const bool applies = key.apply != nullptr || !key.keys.empty();
      if (key.status == KeyStatus::works) CHECK(applies);
    }
  }
}

TEST_CASE("config keys: the table of the documentation is the declaration's") {
  const std::string page = file_text(PEAL_SOURCE_ROOT "/docs/configuration.md");
  const std::string begin = "<!-- table -->\n\n";
  const size_t at = page.find(begin);
  REQUIRE(at != std::string::npos);
  const bool agree = page.substr(at + begin.size()) == config_table();
  CHECK_MESSAGE(agree, "tools/config-table writes it anew");
}

TEST_CASE("config keys: equal options have no changes, and each change is told once") {
  Options before;
  CHECK(changes_between(before, before).empty());
  Options after = before;
  after.limits.payload_bytes_max = 2048;
  after.write_deadline = 1500ms;
  after.port = 4333;
  const auto changes = changes_between(before, after);
  REQUIRE(changes.size() == 3);
  CHECK(changes[0].path == "listen");
  CHECK(changes[0].after == "0.0.0.0:4333");
  CHECK_FALSE(changes[0].live);
  CHECK(changes[1].path == "max_payload");
  CHECK(changes[1].before == "1048576");
  CHECK(changes[1].after == "2048");
  CHECK(changes[1].live);
  CHECK(changes[2].path == "write_deadline");
  CHECK(changes[2].after == "1500ms");
}

}  // namespace
}  // namespace peal::server
