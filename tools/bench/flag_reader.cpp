#include "tools/bench/flag_reader.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "protocol/utf8.hpp"

namespace peal::bench {
namespace {

constexpr double rate_max = 1e9;    // A message each nanosecond.
constexpr double time_s_max = 1e6;  // More than a week.

/// Digits, perhaps a fraction, and one of the units.
struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit multiples[] = {{"", 1},          {"k", 1e3},   {"K", 1e3},
                              {"M", 1e6},       {"G", 1e9},   {"KiB", 1024},
                              {"MiB", 1048576}, {"Ki", 1024}, {"Mi", 1048576}};
constexpr Unit times[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};

template <size_t count>
std::optional<double> read_quantity(std::string_view text, const Unit (&units)[count]) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return {};
  const std::string_view unit(stop, size_t(end - stop));
  for (const Unit& candidate : units) {
    if (unit == candidate.name) return number * candidate.factor;
  }
  return {};
}

}  // namespace

std::optional<double> FlagReader::whole(const char* name, uint64_t lowest, uint64_t highest) {
  if (!given(name)) return {};
  const std::string text = value_of(name);
  const auto value = read_quantity(text, multiples);
  if (!value) {
    refuse(fmt::format("--{}: '{}' is not a number", name, text));
  } else if (*value < double(lowest) || *value > double(highest)) {
    refuse(fmt::format("--{}: {} is not between {} and {}", name, text, lowest, highest));
  } else if (*value != double(uint64_t(*value))) {
    refuse(fmt::format("--{}: '{}' is not a whole number", name, text));
  } else {
    return value;
  }
  return {};
}

void FlagReader::real(const char* name, double& out) {
  if (!given(name)) return;
  const std::string text = value_of(name);
  const auto value = read_quantity(text, multiples);
  if (!value || *value <= 0 || *value > rate_max) {
    return refuse(
        fmt::format("--{}: '{}' is not more than 0 and at most {}", name, text, rate_max));
  }
  out = *value;
}

void FlagReader::time(const char* name, double& out) {
  if (!given(name)) return;
  const std::string text = value_of(name);
  const auto value = read_quantity(text, times);
  if (!value || *value > time_s_max) {
    return refuse(fmt::format("--{}: '{}' is no time, as 10s or 2h is", name, text));
  }
  out = *value;
}

void FlagReader::text(const char* name, std::string& out) {
  if (!given(name)) return;
  out = value_of(name);
  if (out.empty()) refuse(fmt::format("--{}: nothing is given", name));
}

void FlagReader::words(const char* name, std::string& out) {
  text(name, out);
  if (!protocol::is_utf8(out)) refuse(fmt::format("--{}: it is not UTF-8", name));
}

}  // namespace peal::bench
