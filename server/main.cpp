// Arguments in, exit status out. Everything that has a meaning of its own lives elsewhere.

#include <fmt/format.h>

#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <variant>

#include "core/log_format.hpp"
#include "core/memory.hpp"
#include "server/options.hpp"
#include "server/passwd.hpp"
#include "server/process.hpp"
#include "server/reload_preview.hpp"
#include "server/run.hpp"
#include "server/version.hpp"

namespace {

// For what brings a `new` of its own (new.cpp has the server's). Tables are built before main, and
// may lack memory as well.
[[gnu::constructor(101)]] void prepare_for_no_memory() {
  std::set_new_handler(peal::core::end_out_of_memory);
}

// What is said may quote a file or an argument, and has to stay one sentence.
void say(const std::string& sentence) {
  fmt::print(stderr, "{}: {}\n", peal::server::program_name, peal::core::printable(sentence));
}

int fail(const std::string& error) {
  say(error);
  return 1;
}

// Prints what each of them would do.
std::optional<std::string> preview_reload(const std::string& target) {
  using namespace peal::server;
  const auto targets = signal_targets(target);
  if (const auto* error = std::get_if<std::string>(&targets)) return *error;
  for (const pid_t process : std::get<0>(targets)) {
    std::string error;
    const auto answer = ask_preview(process, error);
    if (!answer) return error;
    fmt::print("{}", *answer);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace peal::server;
  hold_standard_descriptors();
  if (argc > 1 && std::string_view(argv[1]) == "passwd") {
    const auto error = run_passwd(argc - 2, argv + 2);
    return error ? fail(*error) : 0;
  }
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* error = std::get_if<std::string>(&parsed)) return fail(*error);
  const auto& command = std::get<ParsedCommand>(parsed);
  switch (command.action) {
    case Action::run: {
      const auto error = run(command);
      return error ? fail(*error) : 0;
    }
    case Action::send_signal: {
      const auto error = command.dry_run ? preview_reload(command.signal_target)
                                         : send_signal(command.signal_name, command.signal_target);
      return error ? fail(*error) : 0;
    }
    case Action::test_config:
      for (const std::string& warning : command.warnings) {
        say("warning: " + warning);
      }
      say(command.message);
      return 0;
    case Action::show_help:
    case Action::show_config_keys:
    case Action::show_tls_keys:
    case Action::show_version:
      fmt::print("{}\n", command.message);
      return 0;
  }
  __builtin_unreachable();
}
