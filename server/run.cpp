#include "server/run.hpp"

#include <cstdint>
#include <utility>
#include <variant>

#include "core/log.hpp"
#include "server/allowance.hpp"
#include "server/process.hpp"
#include "server/server.hpp"
#include "server/version.hpp"

namespace peal::server {

namespace {

void log_start(const ParsedCommand& command, core::Log& log) {
  const Options& options = command.options;
  log.info("Starting {}", program_name);
  log.info("  Version:  {}", version);
  if (!options.config_file.empty()) log.info("Using configuration file: {}", options.config_file);
  for (const std::string& warning : command.warnings) log.warning("{}", warning);
  const uint64_t descriptors = raise_descriptor_limit();
  if (descriptors < options.limits.connections_max) {
    log.warning("open files are limited to {}, max_connections is {}", descriptors,
                options.limits.connections_max);
  }
}

// Until the server has ended, on demand or by itself.
void obey_signals(Server& server, core::Log& log) {
  bool leaving = false;
  for (;;) {
    switch (await_wish()) {
      case Wish::terminate:
        if (leaving) break;  // As in nats-server: a lame duck that is told to go is on its way.
        [[fallthrough]];
      case Wish::stop:
        log.info("Initiating Shutdown...");
        return server.stop();
      case Wish::lame_duck:
        leaving = true;
        server.lame_duck();
        break;
      case Wish::reopen_log:
        log.reopen();
        break;
      case Wish::reload:
        log.warning("reload: not supported yet");
        break;
      case Wish::server_stopped:
        return;
    }
  }
}

std::optional<std::string> serve(const Options& options, core::Log& log) {
  auto started = Server::start(options, log, announce_server_stopped);
  if (auto* error = std::get_if<std::string>(&started)) return std::move(*error);
  Server& server = *std::get<0>(started);
  log.info("  Name:     {}", server.name());
  log.info("  ID:       {}", server.id());
  log.info("  Threads:  {}", server.shards());
  log.info("Listening for client connections on {}:{}", options.host, server.port());

  std::optional<ProcessFile> ports_file;
  if (!options.ports_file_dir.empty()) {
    auto written = ProcessFile::write(options.ports_file_dir + "/" + ports_file_name(),
                                      ports_file_text(client_urls(options.host, server.port())));
    if (const auto* error = std::get_if<std::string>(&written)) {
      log.error("ports file {}", *error);
    } else {
      ports_file.emplace(std::get<0>(std::move(written)));
    }
  }
  log.info("Server is ready");

  obey_signals(server, log);
  server.wait();
  log.info("Server Exiting..");
  return {};
}

}  // namespace

std::optional<std::string> run(const ParsedCommand& command) {
  const Options& options = command.options;
  const bool unserved = !options.listen_also.empty() || !options.listen_unix.empty() ||
                        options.proxy_protocol || options.log_json || options.syslog ||
                        !options.remote_syslog.empty() || options.logfile_bytes_max != 0;
  if (unserved) {
    return "several addresses, listen_unix, proxy_protocol, log_format, logfile_size_limit and "
           "syslog: not supported yet";
  }
  block_signals();  // Before the log's thread, which is the first.
  auto opened = core::Log::open({.file = options.log_file,
                                 .debug = options.debug,
                                 .trace = options.trace,
                                 .time = options.logtime,
                                 .utc = options.logtime_utc});
  if (auto* error = std::get_if<std::string>(&opened)) return std::move(*error);
  core::Log& log = *std::get<0>(opened);
  log_start(command, log);

  std::optional<ProcessFile> pid_file;
  if (!options.pid_file.empty()) {
    auto written = ProcessFile::write(options.pid_file, pid_file_text());
    if (const auto* error = std::get_if<std::string>(&written)) return "pid file " + *error;
    pid_file.emplace(std::get<0>(std::move(written)));
  }
  auto error = serve(options, log);
  if (error && !options.log_file.empty())
    log.fatal("{}", *error);  // Else main says it in its place.
  return error;
}

}  // namespace peal::server
