#pragma once
// The log: one line a fact, from any thread, to where log_sink.hpp can write. It knows lines,
// levels and the time of day; it must never know what a line means.
//
// Whoever logs formats his text on his own stack, puts it into a bounded queue and goes on: no
// lock, no allocation, no system call unless the writer sleeps. One thread of the log's own writes.
// When the queue is full, because the disk or the reader of a pipe is slower than we are, lines are
// lost, counted, and the log says how many: a log that could stop the server would be worse than
// none.

#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/log_format.hpp"

namespace peal::core {

struct LogConfig {
  std::string file;                // The first of these that is there; none: standard error.
  std::string remote_syslog = {};  // udp://host:port or tcp://host:port
  bool syslog = false;
  uint64_t file_bytes_max = 0;  // See open_file_sink(); 0: no limit.
  uint32_t files_max = 0;
  bool debug = false;
  bool trace = false;
  bool time = true;
  bool utc = false;
  bool json = false;
};

class Log {
 public:
  /// The longest text that a line takes; what is longer ends in "...".
  static constexpr size_t text_bytes_max = 1000;
  /// How many lines may wait. The last quarter is kept for what is neither debug nor trace.
  static constexpr size_t lines_max = 1024;

  /// Opens the file and starts the writer. The error is one sentence.
  static std::variant<std::unique_ptr<Log>, std::string> open(const LogConfig& config);

  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool enabled(Level level) const {
    return (enabled_.load(std::memory_order_relaxed) & bit(level)) != 0;
  }

  template <typename... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warning, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void fatal(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::fatal, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::debug, format, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void trace(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::trace, format, std::forward<Args>(args)...);
  }

  template <typename... Args>
  void write(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) write_formatted(level, format, fmt::make_format_args(args...));
  }

  /// For what somebody has asked to see by name, though its level is off.
  template <typename... Args>
  void write_asked_for(Level level, fmt::format_string<Args...> format, Args&&... args) {
    write_formatted(level, format, fmt::make_format_args(args...));
  }

  /// Goes on as `config` says; lines that were logged before this call are still written where and
  /// how they were meant to be. What they are written to is opened only if it is another than
  /// before: a syslog that does not answer is in nobody's way. The error is one sentence, and then
  /// nothing has changed. One thread calls this.
  std::optional<std::string> reconfigure(const LogConfig& config);

  /// Opens the file anew under its name, so that whoever rotates logs may move the old one away.
  /// Happens before any line that is logged after this call is written.
  void reopen();

  /// Waits until every line that this thread has logged is written, or given up on.
  void flush();

  /// Writes what waits and ends the writer. Lines that come later are lost. May be called twice.
  void flush_and_stop();

  /// Lines that found no room in the queue or in the file.
  uint64_t lines_lost() const;

 private:
  class Writer;

  explicit Log(std::unique_ptr<Writer> writer, const LogConfig& config);

  static uint32_t levels_of(const LogConfig& config);
  static constexpr uint32_t bit(Level level) { return 1u << static_cast<unsigned>(level); }
  void write_formatted(Level level, fmt::string_view format, fmt::format_args args);

  LogConfig config_;
  std::atomic<uint32_t> enabled_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace peal::core
