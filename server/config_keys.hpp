#pragma once
// Every key that a configuration file may have, declared once. The reader of the file, the table in
// docs/configuration.md, the guesses at mistyped keys and the comparison at a reload all go by this
// declaration. It knows names, types, units and what a key means for Options; it must never know
// how a file is read.
//
// A key that Peal cannot serve is declared too: refused, because to ignore it would leave somebody
// with a server less safe or less durable than he asked for; or ignored with a warning, where its
// absence harms nobody.
//
// To add keys: put them into the config_keys_*.cpp whose subject they belong to (or a new one,
// named in config_groups()), made by the functions of config_fields.hpp.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_value.hpp"
#include "server/options.hpp"

namespace peal::server {

/// What a key may change, and where it may leave a doubt.
struct ConfigTarget {
  Options& options;
  std::vector<std::string>& warnings;
};

enum class KeyType : uint8_t { text, boolean, number, bytes, duration, list, block, any };

enum class KeyStatus : uint8_t { works, refused, ignored };

/// Whether a new value is taken up by a running server.
enum class Reload : uint8_t { live, restart };

struct ConfigKey {
  std::string_view names;  // "max_connections,max_conn": the first is the usual one.
  KeyType type = KeyType::any;
  KeyStatus status = KeyStatus::works;
  Reload reload = Reload::restart;
  std::string_view note;  // What it does, or what becomes of what it asks for.
  Refusal (*apply)(ConfigTarget& target, const ConfigValue& value) = nullptr;
  /// Its value in `options`, as the table and the log show it. Two options agree in this key
  /// exactly if these texts are equal. nullptr: there is nothing to show, such as for a block,
  /// whose keys say it.
  std::string (*shown)(const Options& options) = nullptr;
  /// Of a block without `apply`, which is then read by these; else for the table alone.
  std::span<const ConfigKey> keys = {};
  bool secret = false;              // Its value is compared, and shown to nobody.
  bool is_wish_when_empty = false;  // Even an empty block asks for something.
  bool says_place = false;          // What `apply` says has the place in it already.
};

/// Keys of one subject.
struct ConfigGroup {
  std::string_view title;
  std::span<const ConfigKey> keys;
};

/// All of them, in the order of the table.
std::span<const ConfigGroup> config_groups();

/// nullptr when `keys` have no such name. Case does not matter.
const ConfigKey* find_key(std::span<const ConfigKey> keys, std::string_view name);
const ConfigKey* find_top_key(std::string_view name);

/// Every name of `keys`, for guesses.
std::vector<std::string_view> names_of(std::span<const ConfigKey> keys);
std::vector<std::string_view> top_names();

/// The first name.
std::string_view usual_name(const ConfigKey& key);

/// One key whose value differs between two options.
struct ConfigChange {
  std::string path;  // "max_payload", "authorization.timeout"
  std::string before;
  std::string after;
  bool live;
};

/// What a reload from `before` to `after` would change.
std::vector<ConfigChange> changes_between(const Options& before, const Options& after);

/// The table of all keys, as Markdown.
std::string config_table();
/// The part of it that is about one block.
std::string block_table(std::string_view name);

}  // namespace peal::server
