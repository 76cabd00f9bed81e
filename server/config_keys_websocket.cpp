// Clients that come by WebSocket.

#include <algorithm>
#include <array>

#include "protocol/letter_case.hpp"
#include "server/config_fields.hpp"
#include "server/config_groups.hpp"
#include "server/config_tls.hpp"
#include "server/security_text.hpp"

namespace peal::server {

namespace {

using namespace fields;
using enum KeyType;

constexpr auto of = &Options::websocket;

Refusal set_listen(ConfigTarget& target, const ConfigValue& value) {
  WebSocketOptions& options = target.options.websocket;
  ListenAddress address{options.host, options.port};
  if (auto refusal = read_address(value, address)) return refusal;
  options.host = address.host;
  options.port = address.port;
  return {};
}

Refusal set_port(ConfigTarget& target, const ConfigValue& value) {
  int64_t port = 0;
  if (auto refusal = read_integer(value, -1, 65535, port)) return refusal;
  target.options.websocket.port = static_cast<int>(port);
  return {};
}

std::string show_listen(const Options& options) {
  const WebSocketOptions& chosen = options.websocket;
  return chosen.enabled() ? fmt::format("{}:{}", chosen.host, chosen.port) : "";
}

Refusal set_advertise(ConfigTarget& target, const ConfigValue& value) {
  ListenAddress address{"", 0};
  if (auto refusal = read_address(value, address)) return refusal;
  return read_text(value, target.options.websocket.advertise);
}

Refusal set_tls(ConfigTarget& target, const ConfigValue& value) {
  return read_tls(value, target.options.websocket.tls);
}

std::string show_tls(const Options& options) { return tls_text(options.websocket.tls); }

Refusal set_origins(ConfigTarget& target, const ConfigValue& value) {
  return read_texts(value, target.options.websocket.allowed_origins);
}

std::string show_origins(const Options& options) {
  std::string text;
  for (const std::string& origin : options.websocket.allowed_origins) {
    text += (text.empty() ? "" : ", ") + origin;
  }
  return text;
}

// Whatever an answer says of itself is not the operator's to say.
bool is_ours(std::string_view name) {
  static constexpr std::string_view ours[] = {"upgrade", "connection", "content-length",
                                              "transfer-encoding"};
  const std::string lower = protocol::lowered(name);
  return lower.starts_with("sec-websocket-") || std::ranges::find(ours, lower) != std::end(ours);
}

Refusal set_headers(ConfigTarget& target, const ConfigValue& value) {
  constexpr size_t bytes_max = 4096;
  const auto* const map = std::get_if<ConfigMap>(&value.content);
  if (map == nullptr) return placed(value.position, expected("a map of headers", value));
  auto& headers = target.options.websocket.headers;
  headers.clear();
  size_t bytes = 0;
  for (const ConfigEntry& entry : map->entries) {
    Header header{entry.key, ""};
    const auto* const text = std::get_if<std::string>(&entry.value.content);
    if (text == nullptr) return placed(entry.value.position, expected("a text", entry.value));
    header.value = *text;
    const bool has_blank = header.name.find_first_of(" \t:\r\n") != std::string::npos;
    if (has_blank || is_ours(header.name)) {
      return error_at(entry.position, fmt::format("the header \"{}\" may not be set", entry.key));
    }
    for (const char letter : header.value) {
      if (static_cast<unsigned char>(letter) >= ' ' && letter != 0x7f) continue;
      return error_at(entry.position,
                      fmt::format("the header \"{}\" has a control character", entry.key));
    }
    bytes += header.name.size() + header.value.size();
    headers.push_back(std::move(header));
  }
  if (bytes <= bytes_max) return {};
  return error_at(value.position,
                  fmt::format("{} bytes of headers are more than {}", bytes, bytes_max));
}

std::string show_headers(const Options& options) {
  std::string text;
  for (const Header& header : options.websocket.headers) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", header.name, header.value);
  }
  return text;
}

Refusal set_authorization(ConfigTarget& target, const ConfigValue& value) {
  WebSocketOptions& options = target.options.websocket;
  const std::array keys{
      text_key("user,username", options.user),
      text_key("password,pass", options.password),
      text_key("token", options.token),
      duration_key("timeout", options.auth_timeout),
  };
  return read_block("websocket.authorization", value, keys);
}

// Two of them agree exactly if their texts do: lengths stand in front.
std::string show_authorization(const Options& options) {
  const WebSocketOptions& chosen = options.websocket;
  std::string text;
  for (const std::string* const part : {&chosen.user, &chosen.password, &chosen.token}) {
    text += fmt::format("{}:{},", part->size(), *part);
  }
  if (chosen.auth_timeout) text += fmt::format("{}", chosen.auth_timeout->count());
  return text;
}

constexpr ConfigKey part(std::string_view names, KeyType type, std::string_view note) {
  return {.names = names, .type = type, .reload = Reload::live, .note = note};
}

constexpr ConfigKey authorization_keys[] = {
    part("user,username", KeyType::text, "the one user who may connect here"),
    part("password,pass", KeyType::text, "his password, or its bcrypt hash"),
    part("token", KeyType::text, "what clients must show here, or its hash"),
    part("timeout", KeyType::duration, "from the upgrade until a client has said who it is"),
};

constexpr ConfigKey in_websocket[] = {
    {.names = "listen",
     .type = KeyType::text,
     .note = "`host:port`, `:port` or `port`; -1: any free port",
     .apply = set_listen,
     .shown = show_listen},
    {.names = "host,net",
     .type = KeyType::text,
     .note = "address to listen on",
     .apply = set_host<of, &WebSocketOptions::host>},
    {.names = "port",
     .type = KeyType::number,
     .note = "without one, nobody listens",
     .apply = set_port},
    {.names = "advertise",
     .type = KeyType::text,
     .reload = Reload::live,
     .note = "shown by monitoring; nobody asks for it without a cluster",
     .apply = set_advertise,
     .shown = show<of, &WebSocketOptions::advertise>},
    fields::boolean<of, &WebSocketOptions::no_tls>("no_tls", Reload::restart,
                                                   "needed where there is no tls block"),
    {.names = "tls",
     .type = block,
     .reload = Reload::live,
     .note = "the same keys as tls",
     .apply = set_tls,
     .shown = show_tls,
     .secret = true,
     .says_place = true},
    fields::boolean<of, &WebSocketOptions::same_origin>(
        "same_origin", Reload::live, "only pages of the host and port that the request names"),
    {.names = "allowed_origins,allowed_origin,allow_origins,allow_origin,origins,origin",
     .type = list,
     .reload = Reload::live,
     .note = "only pages from there, such as `https://example.com`",
     .apply = set_origins,
     .shown = show_origins,
     .says_place = true},
    fields::duration<of, &WebSocketOptions::handshake_timeout>("handshake_timeout", Reload::live,
                                                               "for TLS and the upgrade together"),
    fields::boolean<of, &WebSocketOptions::compression>("compress,compression", Reload::live,
                                                        "permessage-deflate for who offers it"),
    {.names = "headers",
     .type = block,
     .reload = Reload::live,
     .note = "more lines of the answer to an upgrade",
     .apply = set_headers,
     .shown = show_headers,
     .says_place = true},
    {.names = "authorization,authentication",
     .type = block,
     .reload = Reload::live,
     .note = "instead of what clients elsewhere must show",
     .apply = set_authorization,
     .shown = show_authorization,
     .keys = authorization_keys,
     .secret = true,
     .says_place = true},
    fields::text<of, &WebSocketOptions::no_auth_user>(
        "no_auth_user", Reload::live, "who a client is here that does not say who it is"),
    refused("jwt_cookie", KeyType::text),
    refused("user_cookie", KeyType::text),
    refused("pass_cookie", KeyType::text),
    refused("token_cookie", KeyType::text),
    refused("ping_interval", KeyType::duration),
};

constexpr ConfigKey keys[] = {
    {.names = "websocket,ws",
     .type = block,
     .note = "for browsers, and whoever only gets through by HTTP",
     .keys = in_websocket},
};

}  // namespace

std::span<const ConfigKey> websocket_keys() { return keys; }

}  // namespace peal::server
