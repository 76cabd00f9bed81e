#include "server/reload.hpp"

#include <fmt/format.h>

#include <utility>

namespace peal::server {

core::LogConfig log_config(const Options& options) {
  return {.file = options.log_file,
          .remote_syslog = options.remote_syslog,
          .syslog = options.syslog,
          .file_bytes_max = options.logfile_bytes_max,
          .files_max = options.logfiles_max,
          .debug = options.debug,
          .trace = options.trace,
          .time = options.logtime,
          .utc = options.logtime_utc,
          .json = options.log_json};
}

ReloadPlan plan_reload(const ParsedCommand& running) {
  ReloadPlan plan;
  std::vector<const char*> arguments;
  for (const std::string& argument : running.arguments) arguments.push_back(argument.c_str());
  auto parsed = parse_command_line(static_cast<int>(arguments.size()), arguments.data());
  if (auto* error = std::get_if<std::string>(&parsed)) {
    plan.refusal = std::move(*error);
    return plan;
  }
  plan.command = std::get<ParsedCommand>(std::move(parsed));
  plan.changes = changes_between(running.options, plan.command.options);
  for (const ConfigChange& change : plan.changes) {
    if (change.live) continue;
    plan.refusal = fmt::format("{} cannot change from '{}' to '{}' without a restart", change.path,
                               change.before, change.after);
    break;
  }
  return plan;
}

std::string describe_reload(const ParsedCommand& running, const Server& server) {
  const ReloadPlan plan = plan_reload(running);
  std::string refusal = plan.refusal;
  if (refusal.empty()) refusal = server.reload_refusal(plan.command.options).value_or("");
  std::string text;
  for (const ConfigChange& change : plan.changes) {
    text += fmt::format("{}: '{}' would become '{}'{}\n", change.path, change.before, change.after,
                        change.live ? "" : ", but needs a restart");
  }
  if (!refusal.empty()) text += fmt::format("the reload would be refused: {}\n", refusal);
  if (text.empty()) text = "nothing would change\n";
  return text;
}

bool carry_out(const ReloadPlan& plan, const Options& running, Server& server, core::Log& log) {
  const Options& wanted = plan.command.options;
  std::string refusal = plan.refusal;
  if (refusal.empty()) refusal = log.reconfigure(log_config(wanted)).value_or("");
  if (refusal.empty()) {
    refusal = server.reload(wanted).value_or("");
    if (!refusal.empty()) log.reconfigure(log_config(running));
  }
  if (!refusal.empty()) {
    log.error("Failed to reload server configuration: {}; the old one stays in force", refusal);
    return false;
  }
  for (const std::string& warning : plan.command.warnings) log.warning("{}", warning);
  for (const ConfigChange& change : plan.changes) {
    log.info("Reloaded: {} = {}", change.path, change.after);
  }
  log.info("Reloaded server configuration");
  return true;
}

}  // namespace peal::server
