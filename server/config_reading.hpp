#pragma once
// Reading one block of the configuration: a table of keys, and the kinds of values that they have.
// Each error is one sentence with the place. It knows values and their spelling, and no option.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_value.hpp"

namespace peal::server {

/// One sentence with file, line and column; nothing if all is well.
using ConfigError = std::optional<std::string>;

/// A key of a block. `names` is a list such as "user,username".
struct BlockKey {
  std::string_view names;
  std::function<ConfigError(const ConfigEntry& entry)> read;
};

/// Gives each entry to its key. One that is not in the table is refused by name, with `block` to
/// say where; one that some $variable refers to is not.
ConfigError read_block(std::string_view block, const ConfigValue& value,
                       std::span<const BlockKey> keys);

ConfigError expected(std::string_view what, const ConfigValue& found);

/// "false", "disabled", an empty list and the like ask for nothing that we could fail to do.
bool asks_for_nothing(const ConfigValue& value);

/// For what nats-server knows and Peal does not, yet, unless it asks for nothing.
ConfigError not_supported_yet(const ConfigEntry& entry);

ConfigError read_text(const ConfigValue& value, std::string& out);
ConfigError read_bool(const ConfigValue& value, bool& out);
ConfigError read_count(const ConfigValue& value, int64_t lowest, int64_t highest, int64_t& out);
/// 2, 0.5 (seconds) or "2s".
ConfigError read_duration(const ConfigValue& value, std::chrono::nanoseconds& out);
/// One text, or an array of them.
ConfigError read_texts(const ConfigValue& value, std::vector<std::string>& out);

}  // namespace peal::server
