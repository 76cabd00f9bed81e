// Where the server is found, and what it calls itself.

#include <fmt/format.h>

#include <charconv>

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;

Refusal set_port(ConfigTarget& target, const ConfigValue& value) {
  return read_port(value, target.options.port);
}

// One address, or a list of them. The first is the one that INFO and the log name.
Refusal set_listen(ConfigTarget& target, const ConfigValue& value) {
  constexpr size_t addresses_max = 16;
  Options& options = target.options;
  const auto* const array = std::get_if<ConfigArray>(&value.content);
  if (array != nullptr && (array->empty() || array->size() > addresses_max)) {
    return fmt::format("a list of addresses has 1 to {}", addresses_max);
  }
  options.listen_also.clear();
  bool first = true;
  for (const ConfigValue& item : array != nullptr ? *array : ConfigArray{value}) {
    ListenAddress address{options.host, first ? options.port : Options{}.port};
    if (auto refusal = read_address(item, address)) return refusal;
    if (first) {
      options.host = address.host;
      options.port = address.port;
    } else {
      options.listen_also.push_back(address);
    }
    first = false;
  }
  return {};
}

std::string show_listen(const Options& options) {
  std::string text = fmt::format("{}:{}", options.host, options.port);
  for (const ListenAddress& each : options.listen_also) {
    text += fmt::format(", {}:{}", each.host, each.port);
  }
  return text;
}

Refusal set_server_name(ConfigTarget& target, const ConfigValue& value) {
  if (auto refusal = read_text(value, target.options.server_name)) return refusal;
  if (target.options.server_name.find(' ') == std::string::npos) return {};
  return "a server's name has no blanks";
}

// Octal, as with chmod: 660 or "0660".
Refusal set_unix_mode(ConfigTarget& target, const ConfigValue& value) {
  std::string digits;
  if (auto refusal = read_text(value, digits)) return refusal;
  uint32_t mode = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, mode, 8);
  if (error != std::errc{} || stop != end || mode > 0777) {
    return fmt::format("'{}' is no mode; write three octal digits such as 660", digits);
  }
  target.options.listen_unix_mode = mode;
  return {};
}

std::string show_unix_mode(const Options& options) {
  return fmt::format("{:03o}", options.listen_unix_mode);
}

Refusal set_client_advertise(ConfigTarget& target, const ConfigValue& value) {
  std::string text;
  if (auto refusal = read_text(value, text)) return refusal;
  if (!read_advertised(text)) return fmt::format("'{}' is not HOST:PORT", text);
  target.options.client_advertise = std::move(text);
  return {};
}

constexpr ConfigKey keys[] = {
    {.names = "listen",
     .type = KeyType::text,
     .note = "`host:port`, `:port` or `port`; Peal takes a list of them too",
     .apply = set_listen,
     .shown = show_listen},
    {.names = "host,net",
     .type = KeyType::text,
     .note = "address to listen on",
     .apply = fields::set_host<&Options::host>},
    {.names = "port", .type = KeyType::number, .note = "-1: any free one", .apply = set_port},
    text<&Options::listen_unix>("listen_unix", Reload::restart,
                                "Peal only: path of a Unix domain socket to listen on as well"),
    {.names = "listen_unix_mode",
     .type = KeyType::number,
     .note = "Peal only: octal permissions of that socket",
     .apply = set_unix_mode,
     .shown = show_unix_mode},
    text<&Options::listen_unix_owner>(
        "listen_unix_owner", Reload::restart,
        "Peal only: `user`, `user:group` or `:group`, by name or number"),
    boolean<&Options::proxy_protocol>("proxy_protocol", Reload::restart,
                                      "a TCP connection may begin with a PROXY header, version 1 "
                                      "or 2; one without is its own peer"),
    {.names = "client_advertise",
     .type = KeyType::text,
     .reload = Reload::live,
     .note = "`host:port` that clients are told instead of ours",
     .apply = set_client_advertise,
     .shown = show<&Options::client_advertise>},
    {.names = "server_name",
     .type = KeyType::text,
     .note = "empty: the server's id",
     .apply = set_server_name,
     .shown = show<&Options::server_name>},
    ignored("server_tags", KeyType::list, "nobody asks for tags without a cluster"),
    ignored("server_metadata", KeyType::block, "nobody asks for it without a cluster"),
    number<0, threads_max, &Options::threads>("threads", Reload::restart,
                                              "Peal only: 0 is one for each core allowed"),
    number<0, busy_poll_us_max, &Options::busy_poll_us>(
        "busy_poll_us", Reload::live, "Peal only: an idle thread looks for work so long first"),
    text<&Options::pid_file>("pid_file,pidfile", Reload::live, "removed at exit"),
    text<&Options::ports_file_dir>("ports_file_dir", Reload::live,
                                   "folder for `<program>_<pid>.ports`"),
    boolean<&Options::no_header_support>("no_header_support", Reload::restart,
                                         "refuse message headers"),
    duration<&Options::lame_duck_duration>(
        "lame_duck_duration", Reload::live,
        "over which clients are let go; nats-server wants 30 s at least, Peal any time"),
    duration<&Options::lame_duck_grace_period>("lame_duck_grace_period", Reload::live,
                                               "before the first is let go"),
};

}  // namespace

std::span<const ConfigKey> network_keys() { return keys; }

}  // namespace peal::server
