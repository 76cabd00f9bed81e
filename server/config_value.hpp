#pragma once
// A configuration file after reading and before anybody has asked what its keys mean: a tree of
// values, each with the place where it was written.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace peal::server {

struct ConfigPosition {
  std::shared_ptr<const std::string> file;
  uint32_t line = 1;
  uint32_t column = 1;
};

/// A number keeps its spelling: 2m is two million, and whoever expects a time may want to say so.
struct ConfigInteger {
  int64_t value;
  std::string text;
};

struct ConfigValue;
struct ConfigEntry;

using ConfigArray = std::vector<ConfigValue>;

/// In the order of the file. No key stands twice.
struct ConfigMap {
  std::vector<ConfigEntry> entries;
};

/// Dates and addresses are texts: what they are depends on who asks.
struct ConfigValue {
  std::variant<std::string, bool, ConfigInteger, double, ConfigArray, ConfigMap> content;
  ConfigPosition position;
};

struct ConfigEntry {
  std::string key;
  ConfigPosition position;
  ConfigValue value;
  bool is_variable = false;  // Some $key refers to it, so it need not be an option.
};

/// Why a value is not taken, as the end of a sentence that begins with the key.
using Refusal = std::optional<std::string>;

/// "file:line:column: text".
std::string error_at(const ConfigPosition& position, const std::string& text);

/// What a value is, for "expected a number, found a string".
std::string_view kind_of(const ConfigValue& value);

}  // namespace peal::server
