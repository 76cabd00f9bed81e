// Goal: the report of a crash names what an operator has to tell, and never more than there is room
// for. That a real process writes it: tests/server/crash_test.py.

#include "core/crash_report.hpp"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <string>

using namespace peal::core;

namespace {

std::string report(const CrashFacts& facts, std::span<const FlightRecorder* const> recorders,
                   size_t room = 4096) {
  std::string text(room, '\0');
  text.resize(write_crash_report(text, facts, recorders));
  return text;
}

}  // namespace

TEST_CASE("crash report: names the program, the signal, the thread, and what each shard did") {
  FlightRecorder one(200), other(201);
  one.begin_turn(7);
  one.enter("completions");
  for (int i = 0; i < 100; i++) one.note("recv", 12, i);
  other.begin_turn(3);
  for (int i = 0; i < 100; i++) other.note("send", 1, -32);
  const std::array<const FlightRecorder*, 2> recorders{&one, &other};
  CrashFacts facts;
  facts.program = "peal-server 1.2.3";
  facts.signal = SIGSEGV;
  facts.address = 0x10;
  facts.process = 42;
  facts.thread = "peal-shard-0";
  facts.failure = "a bug";
  facts.here = &one;
  const std::string text = report(facts, recorders);
  CHECK(text.find("peal-server 1.2.3 crashed: SIGSEGV at address 0x10, in thread peal-shard-0 of "
                  "process 42\na bug\n") != text.npos);
  CHECK(text.find("shard 200, which crashed: turn 7, step completions, the last first:\n"
                  "  turn 7: recv 12: 99\n  turn 7: recv 12: 98\n") != text.npos);
  CHECK(text.find("recv 12: 68\n") != text.npos);
  CHECK(text.find("recv 12: 67\n") == text.npos);
  CHECK(text.find("shard 201: turn 3, step start, the last first:\n  turn 3: send 1: -32\n") !=
        text.npos);
}

TEST_CASE("crash report: says who sent the signal") {
  CrashFacts facts;
  facts.program = "p";
  facts.signal = SIGABRT;
  facts.sent = true;
  facts.sender = 7;
  CHECK(report(facts, {}).find("SIGABRT from process 7") != std::string::npos);
}

TEST_CASE("crash report: ends where its room does") {
  FlightRecorder one(202);
  one.note("recv", 1, 2);
  const FlightRecorder* const known = &one;
  CrashFacts facts;
  facts.program = "peal-server";
  for (size_t room = 0; room < 200; room++) CHECK(report(facts, {&known, 1}, room).size() <= room);
}
