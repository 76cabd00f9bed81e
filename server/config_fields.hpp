#pragma once
// Makers of configuration keys whose value is one member of Options: number<1, 9, &Options::x>(...)
// is a key that reads a number from 1 to 9 into x, and shows it. A member of a member is named by
// the way to it: &Options::limits, &Limits::x.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "server/config_keys.hpp"
#include "server/config_number.hpp"
#include "server/config_reading.hpp"

namespace peal::server::fields {

/// Of a listener; 0 is the usual one, -1 any.
Refusal read_port(const ConfigValue& value, int& out);
/// 4222, ":4222", "host:4222" or "[::1]:4222". What is not named stays as it is.
Refusal read_address(const ConfigValue& value, ListenAddress& out);

template <auto first, auto... rest>
auto& at(auto& owner) {
  if constexpr (sizeof...(rest) == 0) {
    return owner.*first;
  } else {
    return at<rest...>(owner.*first);
  }
}

inline std::string text_of(const std::string& text) { return text; }
inline std::string text_of(bool truth) { return truth ? "true" : "false"; }
inline std::string text_of(Options::Duration duration) { return config_duration_text(duration); }
template <typename Number>
requires std::is_integral_v<Number> std::string text_of(Number number) {
  return fmt::format("{}", number);
}

template <auto... path>
std::string show(const Options& options) {
  return text_of(at<path...>(options));
}

template <auto... path>
Refusal set_text(ConfigTarget& target, const ConfigValue& value) {
  return read_text(value, at<path...>(target.options));
}

/// Of an address to listen on: with none it is the default one.
template <auto... path>
Refusal set_host(ConfigTarget& target, const ConfigValue& value) {
  std::string host;
  if (auto refusal = read_text(value, host)) return refusal;
  if (!host.empty()) at<path...>(target.options) = std::move(host);
  return {};
}

template <auto... path>
Refusal set_boolean(ConfigTarget& target, const ConfigValue& value) {
  return read_boolean(value, at<path...>(target.options));
}

// As in nats-server, 0 asks for the default; what is unlimited has 0 as its default.
template <int64_t lowest, int64_t highest, auto... path>
Refusal set_number(ConfigTarget& target, const ConfigValue& value) {
  int64_t number = 0;
  if (auto refusal = read_integer(value, lowest, highest, number)) return refusal;
  auto& out = at<path...>(target.options);
  const Options defaults;
  out =
      number == 0 ? at<path...>(defaults) : static_cast<std::remove_cvref_t<decltype(out)>>(number);
  return {};
}

template <auto... path>
Refusal set_duration(ConfigTarget& target, const ConfigValue& value) {
  Options::Duration duration{};
  if (auto refusal = read_duration(value, duration)) return refusal;
  const Options defaults;
  at<path...>(target.options) = duration == Options::Duration{} ? at<path...>(defaults) : duration;
  return {};
}

template <auto... path>
constexpr ConfigKey text(std::string_view names, Reload reload, std::string_view note) {
  return {.names = names,
          .type = KeyType::text,
          .reload = reload,
          .note = note,
          .apply = set_text<path...>,
          .shown = show<path...>};
}

template <auto... path>
constexpr ConfigKey boolean(std::string_view names, Reload reload, std::string_view note) {
  return {.names = names,
          .type = KeyType::boolean,
          .reload = reload,
          .note = note,
          .apply = set_boolean<path...>,
          .shown = show<path...>};
}

template <int64_t lowest, int64_t highest, auto... path>
constexpr ConfigKey number(std::string_view names, Reload reload, std::string_view note,
                           KeyType type = KeyType::number) {
  return {.names = names,
          .type = type,
          .reload = reload,
          .note = note,
          .apply = set_number<lowest, highest, path...>,
          .shown = show<path...>};
}

template <auto... path>
constexpr ConfigKey duration(std::string_view names, Reload reload, std::string_view note) {
  return {.names = names,
          .type = KeyType::duration,
          .reload = reload,
          .note = note,
          .apply = set_duration<path...>,
          .shown = show<path...>};
}

inline constexpr std::string_view not_yet = "not supported yet";

/// What nats-server knows and Peal does not, yet. `keys` are those of the block.
constexpr ConfigKey refused(std::string_view names, KeyType type, std::string_view note = not_yet,
                            std::span<const ConfigKey> keys = {}) {
  return {.names = names, .type = type, .status = KeyStatus::refused, .note = note, .keys = keys};
}

/// What has no effect here, and is missed by nobody.
constexpr ConfigKey ignored(std::string_view names, KeyType type, std::string_view note) {
  return {.names = names, .type = type, .status = KeyStatus::ignored, .note = note};
}

}  // namespace peal::server::fields
