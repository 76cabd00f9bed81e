#include "server/config_fields.hpp"

namespace peal::server::fields {

Refusal read_text(const ConfigValue& value, std::string& out) {
  if (const auto* text = std::get_if<std::string>(&value.content)) return out = *text, std::nullopt;
  if (const auto* integer = std::get_if<ConfigInteger>(&value.content)) {
    return out = integer->text, std::nullopt;
  }
  return expected("a text", value);
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
Refusal read_duration(ConfigTarget& target, const ConfigValue& value, Options::Duration& out) {
  constexpr int64_t seconds_max = 1'000'000'000;
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    const auto parsed = config_duration(*text);
    if (!parsed)
      return fmt::format("'{}' is no time; write it as \"2m\", \"1h30m\" or \"500ms\"", *text);
    out = *parsed;
    return {};
  }
  const auto* const integer = std::get_if<ConfigInteger>(&value.content);
  if (integer == nullptr) return expected("a time such as \"2m\"", value);
  if (integer->text.find_first_not_of("-0123456789") != std::string::npos) {
    return fmt::format("a bare {0} is a number; write \"{0}\" for a time", integer->text);
  }
  if (integer->value < 0 || integer->value > seconds_max) {
    return fmt::format("{} is not between 0 and {}", integer->text, seconds_max);
  }
  target.warnings.push_back(error_at(
      value.position, fmt::format("{0} is taken for seconds; write \"{0}s\"", integer->text)));
  out = std::chrono::seconds(integer->value);
  return {};
}

Refusal read_port(const ConfigValue& value, int& out) {
  int64_t port = 0;
  if (auto refusal = read_integer(value, -1, 65535, port)) return refusal;
  out = port == 0 ? Options{}.port : static_cast<int>(port);
  return {};
}

// 4222, ":4222", "host:4222" or "[::1]:4222". What is not named stays as it is.
Refusal read_address(const ConfigValue& value, ListenAddress& out) {
  const auto* const text = std::get_if<std::string>(&value.content);
  if (text == nullptr) return read_port(value, out.port);
  const size_t colon = text->rfind(':');
  std::string_view host = std::string_view(*text).substr(0, colon == text->npos ? 0 : colon);
  const std::string_view digits = std::string_view(*text).substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool bare_ipv6 = !bracketed && host.find(':') != host.npos;
  if (colon == text->npos || digits.empty() || bare_ipv6) {
    return fmt::format("'{}' is not HOST:PORT; an IPv6 address goes in brackets", *text);
  }
  const ConfigValue port{ConfigInteger{config_integer(digits).value_or(-2), std::string(digits)},
                         {}};
  if (auto refusal = read_port(port, out.port)) return refusal;
  if (!host.empty()) out.host = host;
  return {};
}

}  // namespace peal::server::fields
