#include "server/config_reading.hpp"

#include <fmt/format.h>

#include <utility>

#include "server/config_number.hpp"
#include "server/name_list.hpp"
#include "server/spelling.hpp"

namespace peal::server {

ConfigError placed(const ConfigPosition& position, const Refusal& refusal) {
  if (!refusal) return {};
  return error_at(position, *refusal);
}

Refusal expected(std::string_view what, const ConfigValue& found) {
  return fmt::format("expected {}, found {}", what, kind_of(found));
}

Refusal read_text(const ConfigValue& value, std::string& out) {
  if (const auto* text = std::get_if<std::string>(&value.content)) return out = *text, std::nullopt;
  if (const auto* integer = std::get_if<ConfigInteger>(&value.content)) {
    return out = integer->text, std::nullopt;
  }
  return expected("a text", value);
}

Refusal read_boolean(const ConfigValue& value, bool& out) {
  const bool* const truth = std::get_if<bool>(&value.content);
  if (truth == nullptr) return expected("true or false", value);
  out = *truth;
  return {};
}

Refusal read_integer(const ConfigValue& value, int64_t lowest, int64_t highest, int64_t& out) {
  const auto* const integer = std::get_if<ConfigInteger>(&value.content);
  if (integer == nullptr) return expected("a number", value);
  if (integer->value < lowest || integer->value > highest) {
    return fmt::format("{} is not between {} and {}", integer->text, lowest, highest);
  }
  out = integer->value;
  return {};
}

// A bare 2m has always been two million to this grammar, and so two million seconds. Nobody means
// that, so it is refused; a bare 120 is taken for seconds, as nats-server does.
Refusal read_signed_duration(const ConfigValue& value, std::chrono::nanoseconds& out) {
  constexpr double seconds_max = 1e9;
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    const auto parsed = config_duration(*text);
    if (!parsed) {
      return fmt::format("'{}' is no time; write it as \"2m\", \"1h30m\" or \"500ms\"", *text);
    }
    out = *parsed;
    return {};
  }
  double seconds = 0;
  if (const auto* integer = std::get_if<ConfigInteger>(&value.content)) {
    if (integer->text.find_first_not_of("-0123456789") != std::string::npos) {
      return fmt::format("a bare {0} is a number; write \"{0}\" for a time", integer->text);
    }
    seconds = static_cast<double>(integer->value);
  } else if (const auto* fraction = std::get_if<double>(&value.content)) {
    seconds = *fraction;
  } else {
    return expected("a time such as \"2m\"", value);
  }
  if (seconds < -seconds_max || seconds > seconds_max) {
    return fmt::format("{} seconds are beyond reason", seconds);
  }
  out = std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  return {};
}

Refusal read_duration(const ConfigValue& value, std::chrono::nanoseconds& out) {
  std::chrono::nanoseconds duration{};
  if (auto refusal = read_signed_duration(value, duration)) return refusal;
  if (duration.count() < 0) return "a time below 0 makes no sense here";
  out = duration;
  return {};
}

ConfigError read_texts(const ConfigValue& value, std::vector<std::string>& out) {
  out.clear();
  if (const auto* array = std::get_if<ConfigArray>(&value.content)) {
    for (const ConfigValue& item : *array) {
      if (auto refusal = read_text(item, out.emplace_back())) {
        return placed(item.position, refusal);
      }
    }
    return {};
  }
  return placed(value.position, read_text(value, out.emplace_back()));
}

BlockKey value_key(std::string_view names, std::function<Refusal(const ConfigValue&)> read) {
  return {names, [read = std::move(read)](const ConfigEntry& entry) -> ConfigError {
            const Refusal refusal = read(entry.value);
            if (!refusal) return {};
            return error_at(entry.value.position, fmt::format("{}: {}", entry.key, *refusal));
          }};
}

BlockKey text_key(std::string_view names, std::string& out) {
  return value_key(names, [&out](const ConfigValue& value) { return read_text(value, out); });
}

BlockKey boolean_key(std::string_view names, bool& out) {
  return value_key(names, [&out](const ConfigValue& value) { return read_boolean(value, out); });
}

BlockKey integer_key(std::string_view names, int64_t lowest, int64_t highest, int64_t& out) {
  return value_key(names, [lowest, highest, &out](const ConfigValue& value) {
    return read_integer(value, lowest, highest, out);
  });
}

BlockKey duration_key(std::string_view names, std::chrono::nanoseconds& out) {
  return value_key(names, [&out](const ConfigValue& value) { return read_duration(value, out); });
}

BlockKey duration_key(std::string_view names, std::optional<std::chrono::nanoseconds>& out) {
  return value_key(names, [&out](const ConfigValue& value) {
    std::chrono::nanoseconds duration{};
    auto refusal = read_duration(value, duration);
    if (duration.count() > 0) out = duration;
    return refusal;
  });
}

bool asks_for_nothing(const ConfigValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    return text->empty() || *text == "disabled" || *text == "disable" || *text == "never";
  }
  if (const auto* truth = std::get_if<bool>(&value.content)) return !*truth;
  if (const auto* integer = std::get_if<ConfigInteger>(&value.content)) return integer->value == 0;
  if (const auto* array = std::get_if<ConfigArray>(&value.content)) return array->empty();
  return false;
}

ConfigError not_supported_yet(const ConfigEntry& entry) {
  if (asks_for_nothing(entry.value)) return {};
  return error_at(entry.position, fmt::format("{}: not supported yet", entry.key));
}

ConfigError read_block(std::string_view block, const ConfigValue& value,
                       std::span<const BlockKey> keys) {
  const auto* const map = std::get_if<ConfigMap>(&value.content);
  if (map == nullptr)
    return placed(value.position, expected(fmt::format("a map for {}", block), value));
  for (const ConfigEntry& entry : map->entries) {
    const std::string name = folded_name(entry.key);
    const BlockKey* known = nullptr;
    for (const BlockKey& key : keys) {
      if (has_name(key.names, name)) known = &key;
    }
    if (known == nullptr) {
      if (entry.is_variable) continue;
      std::vector<std::string_view> candidates;
      for (const BlockKey& key : keys)
        candidates.push_back(key.names.substr(0, key.names.find(',')));
      return error_at(entry.position, fmt::format("unknown field \"{}\" in {}{}", entry.key, block,
                                                  did_you_mean(entry.key, candidates)));
    }
    if (auto error = known->read(entry)) return error;
  }
  return {};
}

}  // namespace peal::server
