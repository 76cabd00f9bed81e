// Arguments in, a run, its reports, exit status out: 0 it went well, 1 it failed, 2 it was asked
// wrongly, 130 it was cut short.

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <variant>

#include "tools/bench/args.hpp"
#include "tools/bench/output.hpp"
#include "tools/bench/runs.hpp"

namespace peal::bench {
namespace {

constexpr int failed = 1;
constexpr int asked_wrongly = 2;
constexpr int cut_short = 130;

int complain(const std::string& sentence, int status) {
  std::fflush(stdout);  // Where both go to one file, the reason comes last.
  fmt::print(stderr, "peal-bench: {}\n", sentence);
  return status;
}

// A connection is a descriptor, and the usual limit is a thousand.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result run(const Options& options, RunControl& control) {
  switch (options.command) {
    case Command::pub:
      return run_pub(options, control);
    case Command::sub:
      return run_sub(options, control);
    case Command::pubsub:
      return run_pubsub(options, control);
    case Command::request:
    case Command::service:
    case Command::reqreply:
      return run_requests(options, control);
    case Command::latency:
      return run_latency(options, control);
    case Command::connections:
      return run_connections(options, control);
    case Command::soak:
      return run_soak(options, control);
    case Command::report:
      break;  // Measures nothing.
  }
  __builtin_unreachable();
}

/// Whether Ctrl-C is how it ends, and not an accident.
bool is_open_ended(const Options& options) {
  const bool endless = options.command == Command::sub || options.command == Command::service;
  return endless && options.messages == 0 && options.duration_s == 0;
}

/// Two runs at one server must not hear each other, unless they are the two ends of one flow.
void choose_channel(Options& options) {
  const Command command = options.command;
  if (command == Command::pub || command == Command::sub) return;
  if (command == Command::request || command == Command::service) return;
  // 1001 to 5999, and 4000 pairs more have four digits. Processes that begin one after the other
  // are far apart, for each may have many pairs.
  constexpr uint32_t own_channels = 4999;
  constexpr uint32_t stride = 3089;
  options.first_channel += 1 + uint32_t(uint64_t{uint32_t(getpid())} * stride % own_channels);
}

int bench(Options options) {
  if (options.command == Command::report) {
    const auto failure = put_out_report(options);
    return failure ? complain(*failure, failed) : 0;
  }
  if (const auto failure = check_outputs(options)) return complain(*failure, failed);
  raise_descriptor_limit();
  choose_channel(options);
  RunControl::catch_signals();
  RunControl control;
  const Result result = run(options, control);
  if (options.name.empty()) {
    options.name = name_of(options.command);
    if (!result.server.empty()) options.name += " " + result.server;
  }
  const auto unwritten = put_out(options, result);
  for (const std::string& failure : result.failures) complain(failure, failed);
  if (unwritten) return complain(*unwritten, failed);
  if (!result.failures.empty()) return failed;
  return result.interrupted && !is_open_ended(options) ? cut_short : 0;
}

}  // namespace
}  // namespace peal::bench

int main(int argc, char** argv) {
  using namespace peal::bench;
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* error = std::get_if<std::string>(&parsed)) return complain(*error, asked_wrongly);
  if (const auto* help = std::get_if<Help>(&parsed)) {
    fmt::print("{}", help->text);
    return 0;
  }
  return bench(std::get<Options>(parsed));
}
