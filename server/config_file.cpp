#include "server/config_file.hpp"

#include <fmt/format.h>

#include <span>
#include <string_view>
#include <variant>

#include "server/config_keys.hpp"
#include "server/config_parser.hpp"
#include "server/config_reading.hpp"
#include "server/config_security.hpp"
#include "server/spelling.hpp"

namespace peal::server {

namespace {

/// A block asks for nothing that we could fail to do if it is switched off, or if nothing in it
/// asks for anything.
bool asks_for_nothing(const ConfigKey& key, const ConfigValue& value) {
  const auto* const map = std::get_if<ConfigMap>(&value.content);
  if (map == nullptr) return server::asks_for_nothing(value);
  if (map->entries.empty()) return !key.is_wish_when_empty;
  bool all_nothing = !key.is_wish_when_empty;
  for (const ConfigEntry& entry : map->entries) {
    const ConfigKey* const inner = find_key(key.keys, entry.key);
    const bool nothing = inner != nullptr && asks_for_nothing(*inner, entry.value);
    if (nothing && usual_name(*inner) == "enabled") return true;
    all_nothing &= nothing;
  }
  return all_nothing;
}

/// The items of the file, or of a block in it, each by the key that declares it.
class Reader {
 public:
  explicit Reader(ConfigTarget& target) : target_(target) {}

  Refusal read_file(const ConfigMap& map) {
    for (const ConfigEntry& entry : map.entries) {
      if (const std::string name = folded_name(entry.key); is_security_key(name)) {
        auto error = apply_security(name, entry, target_.options.security, target_.warnings);
        if (error) return error;
        continue;
      }
      if (auto error = read(find_top_key(entry.key), top_names(), "", entry)) return error;
    }
    return {};
  }

 private:
  Refusal read_block(std::span<const ConfigKey> keys, const std::string& path,
                     const ConfigMap& map) {
    for (const ConfigEntry& entry : map.entries) {
      if (auto error = read(find_key(keys, entry.key), names_of(keys), path, entry)) return error;
    }
    return {};
  }

  Refusal read(const ConfigKey* key, std::span<const std::string_view> known,
               const std::string& path, const ConfigEntry& entry) {
    if (key == nullptr) {
      if (entry.is_variable) return {};
      return error_at(entry.position, fmt::format("unknown field \"{}{}\"{}", path, entry.key,
                                                  did_you_mean(entry.key, known)));
    }
    switch (key->status) {
      case KeyStatus::refused:
        return read_refused(*key, path, entry);
      case KeyStatus::ignored:
        warn(path, entry, fmt::format("has no effect: {}", key->note));
        return {};
      case KeyStatus::works:
        return read_value(*key, path, entry);
    }
    __builtin_unreachable();
  }

  Refusal read_refused(const ConfigKey& key, const std::string& path, const ConfigEntry& entry) {
    if (!asks_for_nothing(key, entry.value)) {
      return error_at(entry.position, fmt::format("{}{}: {}", path, entry.key, key.note));
    }
    warn(path, entry, std::string(key.note));
    return {};
  }

  Refusal read_value(const ConfigKey& key, const std::string& path, const ConfigEntry& entry) {
    Refusal refusal;
    if (key.apply != nullptr) {
      refusal = key.apply(target_, entry.value);
    } else if (const auto* map = std::get_if<ConfigMap>(&entry.value.content)) {
      return read_block(key.keys, fmt::format("{}{}.", path, entry.key), *map);
    } else {
      refusal = fmt::format("expected a block, found {}", kind_of(entry.value));
    }
    if (!refusal || key.says_place) return refusal;
    return error_at(entry.value.position, fmt::format("{}{}: {}", path, entry.key, *refusal));
  }

  void warn(const std::string& path, const ConfigEntry& entry, const std::string& text) {
    target_.warnings.push_back(
        error_at(entry.position, fmt::format("{}{}: {}", path, entry.key, text)));
  }

  ConfigTarget& target_;
};

}  // namespace

std::optional<std::string> apply_config(const std::string& path, Options& options,
                                        std::vector<std::string>& warnings) {
  const auto parsed = parse_config_file(path, warnings);
  if (const auto* error = std::get_if<std::string>(&parsed)) return *error;
  ConfigTarget target{options, warnings};
  return Reader(target).read_file(std::get<ConfigMap>(parsed));
}

}  // namespace peal::server
