#include "server/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/crash_report.hpp"
#include "core/log.hpp"
#include "server/allowance.hpp"
#include "server/open_doors.hpp"
#include "server/privileges.hpp"
#include "server/process.hpp"
#include "server/reload.hpp"
#include "server/reload_preview.hpp"
#include "server/server.hpp"
#include "server/service_manager.hpp"
#include "server/version.hpp"

namespace peal::server {

namespace {

// How often the shards are asked whether they still turn.
constexpr std::chrono::nanoseconds roll_call_interval = std::chrono::seconds(5);

// Beside those of clients: rings, listeners, files.
constexpr uint64_t own_descriptors = 1024;
// Eight bytes of the kernel's memory each, whether or not they are ever opened.
constexpr uint64_t reserved_descriptors_max = 1 << 20;

void log_start(const ParsedCommand& command, uint64_t descriptors, core::Log& log) {
  const Options& options = command.options;
  log.info("Starting {}", program_name);
  log.info("  Version:  {}", version);
  if (!options.config_file.empty()) log.info("Using configuration file: {}", options.config_file);
  for (const std::string& warning : command.warnings) log.warning("{}", warning);
  if (descriptors < options.limits.connections_max) {
    log.warning("open files are limited to {}, max_connections is {}", descriptors,
                options.limits.connections_max);
  }
}

std::string_view scheme_of(const Monitoring& monitoring) {
  return monitoring.https_port != 0 ? "https" : "http";
}

void log_monitoring(const Options& options, const ListenAddress& at, core::Log& log) {
  if (at.port == 0) return;
  log.info("Starting {} monitor on {}:{}", scheme_of(options.monitoring), at.host, at.port);
  if (!is_loopback(at.host) && options.monitoring.user.empty() &&
      options.monitoring.token.empty()) {
    log.warning(
        "monitoring: anybody who reaches {}:{} may look; set http_user and http_password or "
        "http_token, or listen on 127.0.0.1",
        at.host, at.port);
  }
}

/// Where main's words on standard error would not be found.
bool log_elsewhere(const Options& options) {
  return !options.log_file.empty() || options.syslog || !options.remote_syslog.empty();
}

std::string_view websocket_scheme(const Options& options) {
  return options.websocket.tls ? "wss" : "ws";
}

void log_websocket(const Options& options, const ListenAddress& at, core::Log& log) {
  if (at.port == 0) return;
  const bool bracketed = at.host.find(':') != std::string::npos;
  log.info("Listening for websocket clients on {}://{}{}{}:{}", websocket_scheme(options),
           bracketed ? "[" : "", at.host, bracketed ? "]" : "", at.port);
  if (!is_loopback(at.host) && !options.websocket.tls) {
    log.warning("websocket: {}:{} is without TLS, for a proxy in front that has it", at.host,
                at.port);
  }
}

std::vector<std::string> open_doors_of(const Server& server, const Options& options) {
  return open_doors(options, server.addresses(), server.websocket_address());
}

/// Those that a reload has opened, or opened to somebody else.
void log_opened_doors(const Server& server, const Options& before, const Options& now,
                      core::Log& log) {
  const std::vector<std::string> known = open_doors_of(server, before);
  for (const std::string& door : open_doors_of(server, now)) {
    if (std::ranges::find(known, door) == known.end()) log.warning("{}", door);
  }
}

/// The files that say where we are, while we are.
class Files {
 public:
  std::optional<std::string> write_pid_file(const Options& options) {
    if (options.pid_file.empty()) return pid_file_ = {}, std::nullopt;
    auto written = write_process_file(options.pid_file, pid_file_text(), pid_file_mode);
    if (const auto* error = std::get_if<std::string>(&written)) return "pid file " + *error;
    pid_file_ = std::get<0>(std::move(written));
    return {};
  }

  void write_ports_file(const Options& options, const Server& server, core::Log& log) {
    if (options.ports_file_dir.empty()) {
      ports_file_ = {};
      return;
    }
    std::vector<std::string> urls;
    for (const ListenAddress& each : server.addresses()) {
      for (std::string& url : urls_of(options.security.tls ? "tls" : "nats", each.host,
                                      static_cast<uint16_t>(each.port))) {
        urls.push_back(std::move(url));
      }
    }
    std::vector<std::string> monitoring;
    if (const ListenAddress& at = server.monitoring_address(); at.port != 0) {
      monitoring = urls_of(scheme_of(options.monitoring), at.host, static_cast<uint16_t>(at.port));
    }
    std::vector<std::string> websocket;
    if (const ListenAddress& at = server.websocket_address(); at.port != 0) {
      websocket = urls_of(websocket_scheme(options), at.host, static_cast<uint16_t>(at.port));
    }
    auto written =
        write_process_file(options.ports_file_dir + "/" + ports_file_name(),
                           ports_file_text(urls, monitoring, websocket), ports_file_mode);
    if (const auto* error = std::get_if<std::string>(&written)) {
      return log.error("ports file {}", *error);
    }
    ports_file_ = std::get<0>(std::move(written));
  }

 private:
  core::OwnFile pid_file_;
  core::OwnFile ports_file_;
};

/// A server that serves, and does what signals ask of it.
class Running {
 public:
  Running(ParsedCommand command, Server& server, Files& files, core::Log& log)
      : command_(std::move(command)), server_(server), files_(files), log_(log) {}

  /// Until the server has ended, on demand or by itself.
  void obey_signals() {
    server_.call_roll();  // The first one.
    manager_.say("READY=1");
    for (;;) {
      const WishFrom wish = await_wish(watch_interval());
      switch (wish.wish) {
        case Wish::terminate:
          if (leaving_) break;  // As in nats-server: a lame duck that is told to go is on its way.
          [[fallthrough]];
        case Wish::stop:
          log_.info("Initiating Shutdown...");
          manager_.say("STOPPING=1");
          return server_.stop();
        case Wish::lame_duck:
          if (!leaving_) log_.info("Entering lame duck mode, stop accepting new clients");
          leaving_ = true;
          server_.lame_duck();
          break;
        case Wish::reopen_log:
          log_.reopen();
          break;
        case Wish::reload:
          manager_.say_reloading();
          reload();
          manager_.say("READY=1");
          break;
        case Wish::preview_reload:
          answer_preview(wish.sender, describe_reload(command_, server_));
          break;
        case Wish::server_stopped:
          return;
        case Wish::nothing:
          watch();
          break;
      }
    }
  }

 private:
  // Twice in the time after which the service manager would act, and often enough for the log.
  std::chrono::nanoseconds watch_interval() const {
    const std::chrono::nanoseconds wanted = manager_.watchdog_interval() / 2;
    return wanted.count() > 0 ? std::min(wanted, roll_call_interval) : roll_call_interval;
  }

  // A shard that does not turn any more is what a watchdog is for, so nothing is said to it then.
  void watch() {
    for (const RollCall::News& news : server_.call_roll()) {
      const double seconds = static_cast<double>(news.silent_ns) / 1e9;
      if (news.ended) {
        log_.warning("shard {} turns again, after {:.1f} s", news.shard, seconds);
      } else {
        log_.error("shard {} has not turned for {:.1f} s, though it was woken", news.shard,
                   seconds);
      }
    }
    if (server_.is_alive()) manager_.say("WATCHDOG=1");
  }

  void reload() {
    ReloadPlan plan = plan_reload(command_);
    if (!carry_out(plan, command_.options, server_, log_)) return;
    log_opened_doors(server_, command_.options, plan.command.options, log_);
    command_ = std::move(plan.command);
    core::set_crash_log(command_.options.log_file);
    const auto error = files_.write_pid_file(command_.options);
    if (error) log_.error("{}", *error);
    files_.write_ports_file(command_.options, server_, log_);
  }

  ParsedCommand command_;
  Server& server_;
  Files& files_;
  core::Log& log_;
  ServiceManager manager_;
  bool leaving_ = false;
};

std::optional<std::string> serve(const ParsedCommand& command, core::Log& log) {
  const Options& options = command.options;
  Files files;
  auto started = Server::start(options, log, announce_server_stopped);
  if (auto* error = std::get_if<std::string>(&started)) return std::move(*error);
  Server& server = *std::get<0>(started);
  // Now that the port is ours, so that another's file stays if it is not.
  if (auto error = files.write_pid_file(options)) return error;
  log.info("  Name:     {}", server.name());
  log.info("  ID:       {}", server.id());
  log.info("  Threads:  {}", server.shards());
  log_monitoring(options, server.monitoring_address(), log);
  log_websocket(options, server.websocket_address(), log);
  for (const ListenAddress& each : server.addresses()) {
    log.info("Listening for client connections on {}:{}", each.host, each.port);
  }
  if (!options.listen_unix.empty()) {
    log.info("Listening for client connections on {}", options.listen_unix);
  }
  for (const std::string& door : open_doors_of(server, options)) log.warning("{}", door);
  if (options.proxy_protocol) log.info("PROXY protocol enabled for client connections");
  files.write_ports_file(options, server, log);
  if (!options.run_as.empty()) {
    if (auto error = become_user(options.run_as)) return error;
  }
  if (!forbid_system_calls()) log.info("System calls are not filtered on this system");
  log.info("Server is ready");

  Running(command, server, files, log).obey_signals();
  server.wait();
  log.info("Server Exiting..");
  return {};
}

}  // namespace

std::optional<std::string> run(const ParsedCommand& command) {
  const Options& options = command.options;
  block_signals();  // Before the log's thread, which is the first.
  core::install_crash_report(fmt::format("{} {}", program_name, version));
  core::set_crash_log(options.log_file);
  const uint64_t descriptors = raise_descriptor_limit();
  reserve_descriptors(std::min(
      {descriptors, options.limits.connections_max + own_descriptors, reserved_descriptors_max}));
  const core::CrashStack crash_stack;
  auto opened = core::Log::open(log_config(options));
  if (auto* error = std::get_if<std::string>(&opened)) return std::move(*error);
  core::Log& log = *std::get<0>(opened);
  log_start(command, descriptors, log);

  auto error = serve(command, log);
  if (error && log_elsewhere(options)) log.fatal("{}", *error);  // Else main says it in its place.
  return error;
}

}  // namespace peal::server
