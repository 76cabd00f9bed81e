// Arguments in, exit status out. Everything that has a meaning of its own lives elsewhere.

#include <fmt/format.h>

#include <cstdio>
#include <new>
#include <string>
#include <variant>

#include "core/memory.hpp"
#include "server/options.hpp"
#include "server/process.hpp"
#include "server/run.hpp"
#include "server/version.hpp"

namespace {

int fail(const std::string& error) {
  fmt::print(stderr, "{}: {}\n", peal::server::program_name, error);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace peal::server;
  std::set_new_handler(peal::core::end_out_of_memory);
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* error = std::get_if<std::string>(&parsed)) return fail(*error);
  const auto& command = std::get<ParsedCommand>(parsed);
  switch (command.action) {
    case Action::run: {
      const auto error = run(command);
      return error ? fail(*error) : 0;
    }
    case Action::send_signal: {
      const auto error = send_signal(command.signal_name, command.signal_target);
      return error ? fail(*error) : 0;
    }
    case Action::show_help:
    case Action::show_config_keys:
    case Action::show_version:
    case Action::test_config:
      fmt::print("{}\n", command.message);
      return 0;
  }
  __builtin_unreachable();
}
