#include "server/config_number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include "server/spelling.hpp"

namespace peal::server {

namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// What a suffix multiplies by; zero for what is no suffix.
int64_t factor_of(std::string_view suffix) {
  if (suffix.empty()) return 1;
  const std::string folded = folded_name(suffix);
  const size_t power = std::string_view("kmgtpe").find(folded[0]) + 1;
  if (power == 0) return 0;
  const std::string_view rest = std::string_view(folded).substr(1);
  if (!rest.empty() && rest != "b" && rest != "i" && rest != "ib") return 0;
  int64_t factor = 1;
  for (size_t i = 0; i < power; i++) factor *= rest.empty() ? 1000 : 1024;
  return factor;
}

struct Unit {
  std::string_view name;
  double nanoseconds;
};

constexpr Unit units[] = {
    {"ns", 1},   {"us", 1e3}, {"\u00b5s", 1e3}, {"\u03bcs", 1e3},
    {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},      {"h", 3600e9},
};

}  // namespace

std::optional<int64_t> config_integer(std::string_view word) {
  int64_t number = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{}) return {};
  const int64_t factor = factor_of(word.substr(static_cast<size_t>(stop - word.data())));
  int64_t product = 0;
  if (factor == 0 || __builtin_mul_overflow(number, factor, &product)) return {};
  return product;
}

std::optional<double> config_fraction(std::string_view word) {
  const std::string_view digits = word.starts_with('-') ? word.substr(1) : word;
  if (digits.empty() || !is_digit(digits.front()) || !is_digit(digits.back())) return {};
  if (std::ranges::count(digits, '.') != 1) return {};
  if (!std::ranges::all_of(digits, [](char letter) { return letter == '.' || is_digit(letter); })) {
    return {};
  }
  double number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

std::optional<std::chrono::nanoseconds> config_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return {};
  double sum = 0;
  while (!text.empty()) {
    const size_t letters_at = static_cast<size_t>(
        std::ranges::find_if(text, [](char letter) { return letter != '.' && !is_digit(letter); }) -
        text.begin());
    const std::string_view digits = text.substr(0, letters_at);
    double number = 0;
    const char* const end = digits.data() + digits.size();
    if (digits.empty() || std::from_chars(digits.data(), end, number).ptr != end) return {};
    text.remove_prefix(letters_at);
    const size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    const auto* const unit = std::ranges::find(units, text.substr(0, letters), &Unit::name);
    if (unit == std::end(units)) return {};
    text.remove_prefix(letters);
    sum += number * unit->nanoseconds;
  }
  if (sum >= 9.2e18) return {};  // What 64 bits of nanoseconds hold.
  return std::chrono::nanoseconds(std::llround(negative ? -sum : sum));
}

std::string config_duration_text(std::chrono::nanoseconds duration) {
  struct Step {
    const char* name;
    int64_t nanoseconds;
  };
  constexpr Step steps[] = {
      {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
      {"ms", 1'000'000},        {"us", 1'000},
  };
  const int64_t nanoseconds = duration.count();
  if (nanoseconds == 0) return "0s";
  for (const Step& step : steps) {
    if (nanoseconds % step.nanoseconds == 0) {
      return std::to_string(nanoseconds / step.nanoseconds) + step.name;
    }
  }
  return std::to_string(nanoseconds) + "ns";
}

}  // namespace peal::server
