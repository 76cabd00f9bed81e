#pragma once
// The command line. It knows flags, their defaults for each subcommand, and which of them go
// together; it must never connect to anything.

#include <string>
#include <variant>

#include "tools/bench/options.hpp"

namespace peal::bench {

/// Text that was asked for instead of a run: --help or --version.
struct Help {
  std::string text;
};

/// The error is one sentence.
std::variant<Options, Help, std::string> parse_command_line(int argc, const char* const* argv);

}  // namespace peal::bench
