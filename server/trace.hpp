#pragma once
// What -V shows: each command of a client, and each line that it is sent, in nats-server's manner.
// It knows texts; secrets in them it must never show.

#include <string_view>

#include "core/log.hpp"
#include "protocol/command.hpp"

namespace peal::server {

/// How much of a message is shown.
struct TraceExtent {
  size_t bytes_max = 0;       // 0: as much as fits into a line.
  bool headers_only = false;  // Nothing of what is said, only what is said about it.
};

/// Both write whatever levels are on: the caller knows that it is wanted. `label` is how the log
/// names the connection.
void trace_command(core::Log& log, std::string_view label, const protocol::Command& command,
                   TraceExtent extent);

/// A whole line, or the head of a message, with or without its line end.
void trace_sent(core::Log& log, std::string_view label, std::string_view line);

}  // namespace peal::server
