#include "tools/bench/text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace peal::bench {
namespace {

// Three digits say what a measurement is worth.
std::string three_digits(double number) {
  if (number >= 100) return fmt::format("{:.0f}", number);
  if (number >= 10) return fmt::format("{:.1f}", number);
  return fmt::format("{:.2f}", number);
}

}  // namespace

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string grouped(double number) { return grouped(uint64_t(std::llround(number))); }

std::string shown_bytes(double bytes) {
  const char* const units[] = {"KiB", "MiB", "GiB"};
  if (bytes < 1024) return fmt::format("{:.0f} B", bytes);
  size_t unit = 0;
  for (bytes /= 1024; bytes >= 1000 && unit + 1 < std::size(units); bytes /= 1024) unit++;
  return fmt::format("{} {}", three_digits(bytes), units[unit]);
}

std::string shown_time(double ns) {
  if (ns < 1000) return fmt::format("{:.0f} ns", ns);
  const char* const units[] = {"us", "ms", "s"};
  size_t unit = 0;
  for (ns /= 1000; ns >= 1000 && unit + 1 < std::size(units); ns /= 1000) unit++;
  return fmt::format("{} {}", three_digits(ns), units[unit]);
}

}  // namespace peal::bench
