#pragma once
// What -V shows: each command of a client, and each line that it is sent, in nats-server's manner.
// It knows texts; secrets in them it must never show.

#include <string_view>

#include "core/log.hpp"
#include "protocol/command.hpp"

namespace peal::server {

/// `label` is how the log names the connection.
void trace_command(core::Log& log, std::string_view label, const protocol::Command& command,
                   size_t message_bytes_max);

/// A whole line, or the head of a message, with or without its line end.
void trace_sent(core::Log& log, std::string_view label, std::string_view line);

}  // namespace peal::server
