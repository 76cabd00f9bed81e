#pragma once
// A reload: the command line and the file that it names are read again, compared with what is in
// force, and taken over as a whole or not at all. It knows the order of these steps; what a change
// means to connections is the server's to know.

#include <string>
#include <vector>

#include "core/log.hpp"
#include "server/config_keys.hpp"
#include "server/options.hpp"
#include "server/server.hpp"

namespace peal::server {

/// Where the log goes, and how, as the options have it.
core::LogConfig log_config(const Options& options);

/// What one reload would do, or why it cannot be.
struct ReloadPlan {
  ParsedCommand command;
  std::vector<ConfigChange> changes;
  std::string refusal;  // Empty: it can be.
};

/// Reads again what `running` was started with. Changes nothing.
ReloadPlan plan_reload(const ParsedCommand& running);

/// What a reload would do, for who asks: a line for each change, and why it would be refused, by
/// the server too.
std::string describe_reload(const ParsedCommand& running, const Server& server);

/// Carries the plan out, and logs what has changed. False: it was refused, the log says why, and
/// all is as it was.
bool carry_out(const ReloadPlan& plan, const Options& running, Server& server, core::Log& log);

}  // namespace peal::server
