#include "core/log_format.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace peal::core {

namespace {

std::string_view tag(Level level) {
  switch (level) {
    case Level::info:
      return "[INF] ";
    case Level::warning:
      return "[WRN] ";
    case Level::error:
      return "[ERR] ";
    case Level::fatal:
      return "[FTL] ";
    case Level::debug:
      return "[DBG] ";
    case Level::trace:
      return "[TRC] ";
  }
  __builtin_unreachable();
}

std::string_view word(Level level) {
  switch (level) {
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
    case Level::fatal:
      return "fatal";
    case Level::debug:
      return "debug";
    case Level::trace:
      return "trace";
  }
  __builtin_unreachable();
}

/// RFC 3164: the facility of daemons, and how bad it is.
int priority(Level level) {
  constexpr int daemon = 3 << 3;
  switch (level) {
    case Level::info:
      return daemon | 5;
    case Level::warning:
      return daemon | 4;
    case Level::error:
      return daemon | 3;
    case Level::fatal:
      return daemon | 2;
    case Level::debug:
    case Level::trace:
      return daemon | 7;
  }
  __builtin_unreachable();
}

std::string host_name() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// Names and subjects come from clients: none may forge a line, or speak to a terminal.
void append_escaped(std::string& out, std::string_view text, bool json) {
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (json && (letter == '"' || letter == '\\')) {
      out.push_back('\\');
      out.push_back(letter);
    } else if (byte >= 0x20 && byte != 0x7f && !(json && byte >= 0x80)) {
      out.push_back(letter);
    } else if (json) {
      // A byte beyond ASCII may be half a letter, which JSON must not have: each is shown as one.
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    }
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  append_escaped(out, text, false);
  return out;
}

LogFormat::LogFormat(Config config)
    : config_(std::move(config)),
      process_id_(fmt::format("{}", ::getpid())),
      host_(config_.frame == LogFrame::syslog_remote ? host_name() : "") {}

void LogFormat::append(std::string& out, const timespec& time, Level level, std::string_view text) {
  if (config_.frame != LogFrame::plain) append_frame(out, time, level);
  if (config_.json) {
    append_json(out, time, level, text);
  } else {
    if (config_.frame == LogFrame::plain) {
      out += '[';
      out += process_id_;
      out += "] ";
      if (config_.time) append_time(out, time);
    }
    out += tag(level);
    append_escaped(out, text, false);
  }
  out += '\n';
}

// The time of another machine's log has a zone; that of our own is its own.
void LogFormat::append_frame(std::string& out, const timespec& time, Level level) {
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm& at = parts_of(time.tv_sec);
  if (config_.frame == LogFrame::syslog_local) {
    fmt::format_to(std::back_inserter(out),
                   "<{}>{} {:2} {:02}:{:02}:{:02} {}[{}]: ", priority(level), months[at.tm_mon],
                   at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, config_.program, process_id_);
    return;
  }
  const long offset_min = std::labs(at.tm_gmtoff) / 60;
  fmt::format_to(std::back_inserter(out),
                 "<{}>{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02} {} {}[{}]: ",
                 priority(level), at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour,
                 at.tm_min, at.tm_sec, at.tm_gmtoff < 0 ? '-' : '+', offset_min / 60,
                 offset_min % 60, host_, config_.program, process_id_);
}

void LogFormat::append_json(std::string& out, const timespec& time, Level level,
                            std::string_view text) {
  out += '{';
  if (config_.time) {
    std::tm at{};
    ::gmtime_r(&time.tv_sec, &at);
    fmt::format_to(std::back_inserter(out),
                   R"("time":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",)", at.tm_year + 1900,
                   at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec,
                   time.tv_nsec / 1000);
  }
  fmt::format_to(std::back_inserter(out), R"("level":"{}","pid":{},"message":")", word(level),
                 process_id_);
  append_escaped(out, text, true);
  out += "\"}";
}

void LogFormat::append_time(std::string& out, const timespec& time) {
  const std::tm& at = parts_of(time.tv_sec);
  fmt::format_to(std::back_inserter(out), "{:04}/{:02}/{:02} {:02}:{:02}:{:02}.{:06} ",
                 at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec,
                 time.tv_nsec / 1000);
}

const std::tm& LogFormat::parts_of(time_t second) {
  if (second == second_) return parts_;
  second_ = second;
  if (config_.utc) {
    ::gmtime_r(&second, &parts_);
  } else {
    ::localtime_r(&second, &parts_);
  }
  return parts_;
}

}  // namespace peal::core
