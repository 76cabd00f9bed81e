#pragma once
// The last words of a process that a fatal signal ends: what it was, where it stood, what it did
// last. They go to standard error and into the log's file, and then the signal does what it would
// have done. It knows signals, threads and flight recorders; it must never say what a client said.
//
// Between the signal and the end nothing is allocated, locked or formatted by a library: the memory
// that is needed is there from the start.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/flight_recorder.hpp"

namespace peal::core {

/// Once for a process, with what it calls itself. Failed assertions and std::terminate come this
/// way as well, by SIGABRT.
void install_crash_report(std::string_view program);

/// The report is appended to this file, too; empty: to none. By one thread.
void set_crash_log(std::string_view path);

/// As long as it lives, its thread handles signals on a stack of their own, because the one that
/// overflowed is no good. Without memory for it there is none.
class CrashStack {
 public:
  CrashStack();
  ~CrashStack();
  CrashStack(const CrashStack&) = delete;
  CrashStack& operator=(const CrashStack&) = delete;

 private:
  void* memory_;
};

// ---- For the report itself, and for tests.

struct CrashFacts {
  std::string_view program;
  int signal = 0;
  bool sent = false;  // By a process, `sender`; else `address` was the trouble.
  int64_t sender = 0;
  uintptr_t address = 0;
  int64_t process = 0;
  std::string_view thread;
  std::string_view failure;              // Of an assertion, or by an exception that nobody caught.
  const FlightRecorder* here = nullptr;  // Of the thread that crashed, if it has one.
};

/// All of the report but the addresses. Returns how much of `out` it has filled.
size_t write_crash_report(std::span<char> out, const CrashFacts& facts,
                          std::span<const FlightRecorder* const> recorders);

}  // namespace peal::core
