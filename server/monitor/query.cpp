#include "server/monitor/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "protocol/letter_case.hpp"

namespace peal::server::monitor {
namespace {

template <typename Number>
Number read(std::string_view text, std::string_view name, std::string_view type,
            std::string_view function, Query& query) {
  Number number = 0;
  std::string_view digits = text;
  if (std::numeric_limits<Number>::is_signed && digits.starts_with('+')) digits.remove_prefix(1);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc{} && stop == digits.data() + digits.size()) return number;
  const bool beyond = error == std::errc::result_out_of_range;
  query.fail(fmt::format("Error decoding {} for '{}': strconv.{}: parsing \"{}\": {}", type, name,
                         function, text, beyond ? "value out of range" : "invalid syntax"));
  return 0;
}

}  // namespace

std::string_view Query::text(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return {};
}

bool Query::boolean(std::string_view name) {
  const std::string_view value = text(name);
  if (value.empty()) return false;
  for (const std::string_view yes : {"1", "t", "T", "true", "True", "TRUE"}) {
    if (value == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "False", "FALSE"}) {
    if (value == no) return false;
  }
  fail(fmt::format(
      "Error decoding boolean for '{}': strconv.ParseBool: parsing \"{}\": invalid syntax", name,
      value));
  return false;
}

bool Query::boolean_or(std::string_view name, std::string_view word) {
  return protocol::lowered(text(name)) == word || boolean(name);
}

int64_t Query::integer(std::string_view name) {
  if (!has(name)) return 0;
  return std::max<int64_t>(0, read<int64_t>(text(name), name, "int", "Atoi", *this));
}

uint64_t Query::identifier(std::string_view name) {
  return has(name) ? read<uint64_t>(text(name), name, "uint64", "ParseUint", *this) : 0;
}

Page Page::of(Query& query) {
  Page page;
  page.offset = query.integer("offset");
  if (const int64_t limit = query.integer("limit"); limit > 0) page.limit = limit;
  return page;
}

// By differences, since the sum of what was asked for may be beyond any number.
std::pair<size_t, size_t> Page::range(size_t total) const {
  const size_t begin = std::min(total, static_cast<size_t>(offset));
  return {begin, begin + std::min(total - begin, static_cast<size_t>(limit))};
}

}  // namespace peal::server::monitor
