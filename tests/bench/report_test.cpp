#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tools/bench/report_csv.hpp"
#include "tools/bench/report_html.hpp"
#include "tools/bench/report_json.hpp"
#include "tools/bench/report_table.hpp"
#include "tools/bench/text.hpp"

namespace peal::bench {
namespace {

Result some_result() {
  Result result;
  result.server = "peal 0.1.0";
  result.seconds = 2;
  result.published = {1000, 128'000};
  result.received = {3000, 384'000};
  for (int i = 1; i <= 1000; i++) result.latency.record(i * 1000);
  result.server_use =
      ServerUse{.cpu_s = 0.004, .resident_before_bytes = 1, .resident_after_bytes = 2};
  result.timeline.end({2, 1000, 3000});
  return result;
}

Options some_options() {
  Options options;
  options.name = "a \"name\", <b>with</script> all";
  options.command = Command::latency;
  return options;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("json: one line that begins with what it is, and has every figure") {
  const std::string json = json_of(some_options(), some_result());
  CHECK(json.starts_with("{\"peal_bench\":1,\"name\":\"a \\\"name\\\""));
  CHECK_FALSE(contains(json, "\n"));
  CHECK(contains(json, "\"command\":\"latency\""));
  CHECK(contains(json, "\"messages_per_s\":1500.0"));
  CHECK(contains(json, "\"ns_per_message\":1000.0"));
  CHECK(contains(json, "\"latency_distribution\":[[0.0,1.0]"));
  CHECK(contains(json, "\"timeline\":[[0.0,0,0],[2.0,1000,3000]]"));
  CHECK_FALSE(contains(json, "faults"));  // Was not asked for, so is not said to be none.
}

TEST_CASE("json: whatever bytes a server said, it is JSON") {
  Result result = some_result();
  result.failures = {"-ERR \xc3"};
  const std::string json = json_of(some_options(), result);
  CHECK(contains(json, "\"failures\":[\"-ERR \xef\xbf\xbd\"]"));
}

TEST_CASE("csv: a line has the columns of its head") {
  Options options = some_options();
  options.name = "a \"name\" without comma";
  const std::string head = csv_head();
  const std::string line = csv_line(options, some_result());
  CHECK(std::count(head.begin(), head.end(), ',') == std::count(line.begin(), line.end(), ','));
  CHECK(
      line.starts_with("\"a \"\"name\"\" without comma\",latency,\"peal 0.1.0\",128,1,1,0,2.000,"));
  CHECK(line.ends_with("\n"));
}

TEST_CASE("page: runs are found again in what was made of them") {
  const std::string json = json_of(some_options(), some_result());
  std::vector<std::string> runs;
  add_run(runs, json);
  Options other = some_options();
  other.name = "another";
  add_run(runs, json_of(other, some_result()));
  add_run(runs, json);  // Anew: it takes the place of the first.
  REQUIRE(runs.size() == 2);
  const std::string page = page_of(runs);
  const auto found = runs_in(page);
  REQUIRE(std::holds_alternative<std::vector<std::string>>(found));
  CHECK(std::get<std::vector<std::string>>(found) == runs);
  // No name may break out of the script that it stands in.
  CHECK_FALSE(contains(page, "<b>with"));
}

TEST_CASE("page: what holds no run is told apart") {
  CHECK(std::holds_alternative<std::string>(runs_in("")));
  CHECK(std::holds_alternative<std::string>(runs_in("{}")));
  CHECK(std::get<std::vector<std::string>>(runs_in("{\"peal_bench\":1}\n{\"peal_bench\":1}\n"))
            .size() == 2);
}

TEST_CASE("page: loads nothing from anywhere") {
  const std::string page = page_of({});
  for (const char* part : {"src=", "href=", "@import", "url("}) CHECK_FALSE(contains(page, part));
}

TEST_CASE("table: says when the generator was the limit, and only then") {
  Result result = some_result();
  result.generator.busiest = 0.5;
  CHECK_FALSE(contains(table_of(some_options(), result), "was the limit"));
  result.generator.busiest = 0.97;
  CHECK(contains(table_of(some_options(), result),
                 "the generator was the limit: its threads ran at 97 %"));
}

TEST_CASE("table: nothing is a figure too, and what was not asked for is none") {
  Result result;
  CHECK(contains(table_of(some_options(), result), "received                    0 msgs"));
  result.published = {1000, 128'000};
  CHECK_FALSE(contains(table_of(some_options(), result), "received"));
}

TEST_CASE("text: figures have groups, three digits, and units") {
  CHECK(grouped(uint64_t{0}) == "0");
  CHECK(grouped(uint64_t{1'234'567}) == "1,234,567");
  CHECK(shown_time(812) == "812 ns");
  CHECK(shown_time(12'345) == "12.3 us");
  CHECK(shown_time(1.5e9) == "1.50 s");
  CHECK(shown_bytes(1023) == "1023 B");
  CHECK(shown_bytes(1536) == "1.50 KiB");
}

}  // namespace
}  // namespace peal::bench
