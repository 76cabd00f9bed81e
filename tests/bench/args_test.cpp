#include "tools/bench/args.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace peal::bench {
namespace {

using Parsed = std::variant<Options, Help, std::string>;

Parsed parse(std::vector<const char*> words) {
  words.insert(words.begin(), "peal-bench");
  return parse_command_line(int(words.size()), words.data());
}

Options options(std::vector<const char*> words) {
  const Parsed parsed = parse(std::move(words));
  if (const auto* error = std::get_if<std::string>(&parsed)) FAIL(*error);
  return std::get<Options>(parsed);
}

TEST_CASE("args: each subcommand has bounds of its own where none were given") {
  CHECK(options({"pubsub"}).messages == 1'000'000);
  CHECK(options({"pubsub", "--duration", "2s"}).messages == 0);
  CHECK(options({"latency"}).rate == 10'000);
  CHECK(options({"latency"}).burst == 1);
  CHECK(options({"latency"}).duration_s == 5);
  CHECK(options({"soak"}).duration_s == 10);
  CHECK(options({"sub"}).messages == 0);
}

TEST_CASE("args: numbers and times have units") {
  CHECK(options({"pub", "-n", "10k"}).messages == 10'000);
  CHECK(options({"pub", "--msgs", "2.5M"}).messages == 2'500'000);
  CHECK(options({"pub", "--size", "64KiB"}).size_bytes == 65'536);
  CHECK(options({"pub", "-d", "250ms"}).duration_s == 0.25);
  CHECK(options({"pub", "-d", "2m"}).duration_s == 120);
  CHECK(options({"pub", "-d", "1ms"}).duration_s == 0.001);
  CHECK(options({"pub", "-w", "0"}).warmup_s == 0);
}

TEST_CASE("args: pairs have as many on both sides") {
  const Options pairs = options({"pubsub", "--pairs", "--pubs", "4"});
  CHECK(pairs.publishers == 4);
  CHECK(pairs.subscribers == 4);
}

TEST_CASE("args: what makes no sense is refused in a sentence") {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"dance"},
      {"pub", "twice"},
      {"pub", "--frobnicate"},
      {"pub", "--msgs", "many"},
      {"pub", "--msgs", "0"},
      {"pub", "--msgs", "1.5"},
      {"pub", "--msgs", "-3"},
      {"pub", "--msgs", "nan"},
      {"pub", "--msgs", "inf"},
      {"pub", "--rate", "nan"},
      {"pub", "--rate", "nank"},
      {"pub", "--subjects", "9", "--zipf", "nan"},
      {"pub", "--duration", "5 parsecs"},
      {"pub", "--duration", "nans"},
      {"pub", "--duration", "infs"},
      {"pub", "--duration", "0"},
      {"pub", "--duration", "0.9ms"},
      {"pub", "--warmup", "nans"},
      {"pub", "--msgs", "5", "--duration", "5s"},
      {"pub", "--subs", "3"},
      {"pub", "--subject-prefix", "a..b"},
      {"pub", "--subject-prefix", "a.*"},
      {"pub", "--subject-prefix", "a b"},
      {"pub", "--subjects", "1000001"},
      {"pub", "--zipf", "1"},
      {"pub", "--burst", "10"},
      {"sub", "--burst", "10"},
      {"pub", "--server", "http://h"},
      {"pubsub", "--pairs", "--fan"},
      {"pubsub", "--pairs", "--queue", "q"},
      {"pubsub", "--pairs", "--pubs", "2", "--subs", "3"},
      {"pubsub", "--inflight", "3"},
      {"pubsub", "--queue", ""},
      {"pubsub", "--queue", "\xff"},
      {"pubsub", "--subject-prefix", "a\xc3"},
      {"pubsub", "--name", "\xff\xfe"},
      {"pubsub", "--name", ""},
      {"pubsub", "--json", ""},
      {"pubsub", "--tlsca", ""},
      {"pubsub", "--json", "-", "--csv", "-"},
      {"pubsub", "--csv", "-", "--report", "-"},
      {"latency", "--size", "4"},
      {"soak", "--size", "16"},
      {"soak", "--queue", "q"},
      {"connections"},
      {"connections", "--idle", "3", "--storm", "3"},
      {"report", "-o", "x.html"},
      {"report", "x.json"},
  };
  for (const auto& words : wrong) {
    CAPTURE(words.size());
    const Parsed parsed = parse(words);
    REQUIRE(std::holds_alternative<std::string>(parsed));
    const std::string& sentence = std::get<std::string>(parsed);
    CAPTURE(sentence);
    CHECK_FALSE(sentence.empty());
    CHECK(sentence.find('\n') == std::string::npos);
  }
}

TEST_CASE("args: help and version are no errors") {
  CHECK(std::get<Help>(parse({"--version"})).text.starts_with("peal-bench: v"));
  CHECK(std::holds_alternative<Help>(parse({"--help"})));
  CHECK(std::holds_alternative<Help>(parse({"pub", "-h"})));
}

}  // namespace
}  // namespace peal::bench
