#pragma once
// Where lines of the log end up: standard error, a file that may be rotated, or a syslog. It knows
// descriptors and paths; what a line means it must never know. One thread at a time uses a sink:
// the log's own, which may have to wait here, and so has a bound on each wait.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace peal::core {

class LogSink {
 public:
  virtual ~LogSink() = default;

  /// Whole lines, each with its LF. False: some are lost.
  virtual bool write(std::string_view lines) = 0;
  /// Opens its file anew under its name. What the log should say of that, or nothing.
  virtual std::string reopen() { return {}; }
  /// Begins a new file if this one has become too large. What the log should say of that.
  virtual std::string rotate_if_due() { return {}; }
};

using OpenedSink = std::variant<std::unique_ptr<LogSink>, std::string>;

/// Standard error.
std::unique_ptr<LogSink> open_stderr_sink();

/// Appends to a file. Past `bytes_max` (0: never) it gets the time as a suffix and a new one is
/// begun; of those with a suffix and the one in use `files_max` are kept (0: all).
OpenedSink open_file_sink(const std::string& path, uint64_t bytes_max, uint32_t files_max);

/// The system's own syslog, or, with a URL of udp://host:port or tcp://host:port, another
/// machine's. Its name is looked up here, which may take as long as the system's resolver does, and
/// never again: a connection that is lost is made anew, to one of the addresses that it had, when
/// the next line comes, at most once a second.
OpenedSink open_syslog_sink(const std::string& url);

}  // namespace peal::core
