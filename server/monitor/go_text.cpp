#include "server/monitor/go_text.hpp"

#include <fmt/format.h>

#include <ctime>

#include "core/clock.hpp"

namespace peal::server::monitor {
namespace {

using core::microsecond_ns;
using core::millisecond_ns;
using core::second_ns;

std::string trimmed_fraction(int64_t value, int64_t unit, int digits) {
  std::string text = fmt::format("{}", value / unit);
  if (value % unit == 0) return text;
  text += fmt::format(".{:0{}}", value % unit, digits);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

}  // namespace

std::string duration_text(int64_t ns) {
  if (ns <= 0) return "0s";
  if (ns < microsecond_ns) return fmt::format("{}ns", ns);
  if (ns < millisecond_ns) return trimmed_fraction(ns, microsecond_ns, 3) + "µs";
  if (ns < second_ns) return trimmed_fraction(ns, millisecond_ns, 6) + "ms";
  const int64_t minutes = ns / (60 * second_ns);
  std::string text = trimmed_fraction(ns % (60 * second_ns), second_ns, 9) + "s";
  if (minutes > 0) text = fmt::format("{}m", minutes % 60) + text;
  if (minutes >= 60) text = fmt::format("{}h", minutes / 60) + text;
  return text;
}

std::string uptime_text(int64_t ns) {
  const int64_t seconds = ns > 0 ? ns / second_ns : 0;
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  const int64_t years = days / 365;
  std::string text;
  if (years > 0) text += fmt::format("{}y", years);
  if (days > 0) text += fmt::format("{}d", days % 365);
  if (hours > 0) text += fmt::format("{}h", hours % 24);
  if (minutes > 0) text += fmt::format("{}m", minutes % 60);
  return text + fmt::format("{}s", seconds % 60);
}

std::string time_text(int64_t unix_ns) {
  const time_t seconds = unix_ns / second_ns;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (const int64_t fraction = unix_ns % second_ns; fraction != 0) {
    text += fmt::format(".{:09}", fraction);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace peal::server::monitor
