#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "server/monitor/go_text.hpp"
#include "server/monitor/query.hpp"

using namespace peal::server::monitor;

namespace {

constexpr int64_t second_ns = 1'000'000'000;
constexpr int64_t day_ns = 86'400 * second_ns;

Query query(std::vector<std::pair<std::string, std::string>> values) {
  return Query(std::move(values));
}

}  // namespace

TEST_CASE("monitor: durations are spelt as Go spells them") {
  CHECK(duration_text(0) == "0s");
  CHECK(duration_text(999) == "999ns");
  CHECK(duration_text(433'000) == "433µs");
  CHECK(duration_text(1'500) == "1.5µs");
  CHECK(duration_text(1'234'000) == "1.234ms");
  CHECK(duration_text(second_ns) == "1s");
  CHECK(duration_text(90 * second_ns + second_ns / 2) == "1m30.5s");
  CHECK(duration_text(3600 * second_ns) == "1h0m0s");
}

TEST_CASE("monitor: an uptime begins with its largest unit and leaves none out") {
  CHECK(uptime_text(0) == "0s");
  CHECK(uptime_text(59 * second_ns) == "59s");
  CHECK(uptime_text(60 * second_ns) == "1m0s");
  CHECK(uptime_text(day_ns + 3 * second_ns) == "1d0h0m3s");
  CHECK(uptime_text(366 * day_ns) == "1y1d0h0m0s");
}

TEST_CASE("monitor: a time has as many digits as it needs") {
  CHECK(time_text(0) == "1970-01-01T00:00:00Z");
  CHECK(time_text(1'795'255'494'894'809'652) == "2026-11-21T10:04:54.894809652Z");
  CHECK(time_text(1'795'255'494'500'000'000) == "2026-11-21T10:04:54.5Z");
}

TEST_CASE("monitor: a query is read as nats-server reads it") {
  Query good = query({{"subs", "TRUE"}, {"limit", "+7"}, {"cid", "18446744073709551615"}});
  CHECK(good.boolean("subs"));
  CHECK_FALSE(good.boolean("auth"));
  CHECK(good.integer("limit") == 7);
  CHECK(good.identifier("cid") == std::numeric_limits<uint64_t>::max());
  CHECK(good.error() == "");

  Query negative = query({{"offset", "-5"}});
  CHECK(negative.integer("offset") == 0);
  CHECK(negative.error() == "");

  Query bad = query({{"limit", "7x"}, {"subs", "2"}});
  CHECK(bad.integer("limit") == 0);
  CHECK_FALSE(bad.boolean("subs"));
  CHECK(bad.error() ==
        "Error decoding int for 'limit': strconv.Atoi: parsing \"7x\": invalid syntax");
}

// The bug this keeps out: an offset and a limit whose sum is beyond any number (an advisory of
// nats-server's).
TEST_CASE("monitor: no offset and no limit reaches beyond a list") {
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const int64_t offset : {int64_t{0}, int64_t{3}, int64_t{10}, int64_t{11}, most}) {
    for (const int64_t limit : {int64_t{1}, int64_t{10}, most}) {
      CAPTURE(offset);
      CAPTURE(limit);
      const auto [begin, end] = Page{offset, limit}.range(10);
      CHECK(begin <= end);
      CHECK(end <= 10);
      CHECK(begin == static_cast<size_t>(std::min<int64_t>(offset, 10)));
    }
  }
}
