#include "tools/bench/server_url.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace peal::bench {
namespace {

using Refusal = std::optional<std::string>;

Refusal read_port(std::string_view url, std::string_view digits, uint16_t& out) {
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, out);
  if (error == std::errc{} && stop == end && out != 0) return {};
  return fmt::format("'{}' in '{}' is no port", digits, url);
}

Refusal read_host_and_port(std::string_view url, std::string_view text, ServerUrl& out) {
  std::string_view port;
  bool port_given = false;
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == text.npos) return fmt::format("'{}' has a '[' without its ']'", url);
    out.host = text.substr(1, bracket - 1);
    port = text.substr(bracket + 1);
    port_given = !port.empty();
    if (port_given && port.front() != ':') return fmt::format("'{}' is no server", url);
    if (port_given) port.remove_prefix(1);
  } else {
    const size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    port_given = colon != text.npos;
    if (port_given) port = text.substr(colon + 1);
  }
  if (out.host.empty()) return fmt::format("'{}' names no host", url);
  return port_given ? read_port(url, port, out.port) : Refusal();
}

// %40 for an @, as in every URL.
Refusal read_escapes(std::string_view text, std::string& out) {
  out.clear();
  for (size_t at; (at = text.find('%')) != text.npos;) {
    out += text.substr(0, at);
    const std::string_view escape = text.substr(at, 3);
    const char* const end = escape.data() + escape.size();
    uint8_t byte = 0;
    const auto [stop, error] = std::from_chars(escape.data() + 1, end, byte, 16);
    if (escape.size() != 3 || error != std::errc{} || stop != end) {
      return fmt::format("'{}' is no escape, as %40 is for @: a % itself is %25", escape);
    }
    out += char(byte);
    text.remove_prefix(at + escape.size());
  }
  out += text;
  return {};
}

Refusal read_url(std::string_view url, ServerUrl& out) {
  std::string_view rest = url;
  if (const size_t scheme_end = rest.find("://"); scheme_end != rest.npos) {
    const std::string_view scheme = rest.substr(0, scheme_end);
    out.tls = scheme == "tls";
    if (!out.tls && scheme != "nats") {
      return fmt::format("'{}' starts neither with nats:// nor with tls://", url);
    }
    rest.remove_prefix(scheme_end + 3);
  }
  // A password may hold an @, a host may not.
  if (const size_t at = rest.rfind('@'); at != rest.npos) {
    const std::string_view who = rest.substr(0, at);
    const size_t colon = who.find(':');
    if (auto refusal = read_escapes(who.substr(0, colon), out.user)) return refusal;
    if (colon != who.npos) {
      if (auto refusal = read_escapes(who.substr(colon + 1), out.password)) return refusal;
    }
    rest.remove_prefix(at + 1);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  return read_host_and_port(url, rest, out);
}

}  // namespace

std::variant<std::vector<ServerUrl>, std::string> parse_server_urls(std::string_view text) {
  std::vector<ServerUrl> urls;
  while (true) {
    const size_t comma = text.find(',');
    ServerUrl url;
    if (auto refusal = read_url(text.substr(0, comma), url)) return *refusal;
    urls.push_back(std::move(url));
    if (comma == text.npos) return urls;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace peal::bench
