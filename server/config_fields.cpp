#include "server/config_fields.hpp"

namespace peal::server::fields {

Refusal read_port(const ConfigValue& value, int& out) {
  int64_t port = 0;
  if (auto refusal = read_integer(value, -1, 65535, port)) return refusal;
  out = port == 0 ? Options{}.port : static_cast<int>(port);
  return {};
}

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
