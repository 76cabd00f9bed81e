#include "server/config_value.hpp"

#include <fmt/format.h>

namespace peal::server {

std::string error_at(const ConfigPosition& position, const std::string& text) {
  return fmt::format("{}:{}:{}: {}", *position.file, position.line, position.column, text);
}

std::string_view kind_of(const ConfigValue& value) {
  constexpr std::string_view kinds[] = {"a text",     "true or false", "a number",
                                        "a fraction", "an array",      "a map"};
  return kinds[value.content.index()];
}

}  // namespace peal::server
