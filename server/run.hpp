#pragma once
// A server's life as a process: its log, its files, its signals, from start to exit. It knows the
// order of these; what is served, it must never know.

#include <optional>
#include <string>

#include "server/options.hpp"

namespace peal::server {

/// Serves until told to stop. The error, one sentence, is that of a server which did not start.
std::optional<std::string> run(const ParsedCommand& command);

}  // namespace peal::server
