#pragma once
// What values of the configuration may be, and reading a block by a table of its keys. It knows
// values and their spelling, and no option.

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

/// The sentence, if there is one.
ConfigError placed(const ConfigPosition& position, const Refusal& refusal);

Refusal expected(std::string_view what, const ConfigValue& found);

/// A name that happens to be a number, or "on", is a name.
Refusal read_text(const ConfigValue& value, std::string& out);
Refusal read_boolean(const ConfigValue& value, bool& out);
/// A number within bounds, or why not.
Refusal read_integer(const ConfigValue& value, int64_t lowest, int64_t highest, int64_t& out);
/// "2m", or a bare number of seconds: 2, 0.5.
Refusal read_duration(const ConfigValue& value, std::chrono::nanoseconds& out);
/// The same, for whom a time below 0 means something.
Refusal read_signed_duration(const ConfigValue& value, std::chrono::nanoseconds& out);

/// One text, or an array of them.
ConfigError read_texts(const ConfigValue& value, std::vector<std::string>& out);

/// A key of a block. `names` is a list such as "user,username".
struct BlockKey {
  std::string_view names;
  std::function<ConfigError(const ConfigEntry& entry)> read;
};

/// Keys with one value, which is read into `out`.
BlockKey text_key(std::string_view names, std::string& out);
BlockKey boolean_key(std::string_view names, bool& out);
BlockKey integer_key(std::string_view names, int64_t lowest, int64_t highest, int64_t& out);
BlockKey duration_key(std::string_view names, std::chrono::nanoseconds& out);
/// As in nats-server, 0 asks for the default.
BlockKey duration_key(std::string_view names, std::optional<std::chrono::nanoseconds>& out);
/// With whatever `read` makes of it.
BlockKey value_key(std::string_view names, std::function<Refusal(const ConfigValue&)> read);

/// Gives each entry to its key. One that is not in the table is refused by name, with `block` to
/// say where; one that some $variable refers to is not.
ConfigError read_block(std::string_view block, const ConfigValue& value,
                       std::span<const BlockKey> keys);

/// "false", "disabled", an empty list and the like ask for nothing that we could fail to do.
bool asks_for_nothing(const ConfigValue& value);

/// For what nats-server knows and Peal does not, yet, unless it asks for nothing.
ConfigError not_supported_yet(const ConfigEntry& entry);

}  // namespace peal::server
