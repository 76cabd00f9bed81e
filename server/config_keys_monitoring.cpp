// How the server is watched.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;

constexpr int64_t closed_clients_most = 1'000'000;

// As in nats-server, a path without a slash in front gets one.
Refusal set_base_path(ConfigTarget& target, const ConfigValue& value) {
  std::string& path = target.options.monitoring.base_path;
  if (auto refusal = read_text(value, path)) return refusal;
  while (path.ends_with('/')) path.pop_back();
  if (!path.empty() && path.front() != '/') path.insert(0, 1, '/');
  return {};
}

template <int Monitoring::*member>
Refusal set_port(ConfigTarget& target, const ConfigValue& value) {
  int64_t port = 0;
  if (auto refusal = read_integer(value, -1, 65535, port)) return refusal;
  target.options.monitoring.*member = static_cast<int>(port);
  return {};
}

template <int Monitoring::*member>
Refusal set_address(ConfigTarget& target, const ConfigValue& value) {
  if (std::holds_alternative<ConfigInteger>(value.content)) return set_port<member>(target, value);
  ListenAddress address;
  address.host.clear();
  if (auto refusal = read_address(value, address)) return refusal;
  target.options.monitoring.host = address.host;
  target.options.monitoring.*member = address.port;
  return {};
}

// 0 remembers none.
Refusal set_closed_clients(ConfigTarget& target, const ConfigValue& value) {
  int64_t count = 0;
  if (auto refusal = read_integer(value, 0, closed_clients_most, count)) return refusal;
  target.options.monitoring.closed_clients_max = static_cast<uint32_t>(count);
  return {};
}

template <int Monitoring::*member>
std::string show_address(const Options& options) {
  const Monitoring& monitoring = options.monitoring;
  const int port = monitoring.*member;
  return monitoring.host.empty() || port == 0 ? "" : fmt::format("{}:{}", monitoring.host, port);
}

template <auto member>
constexpr ConfigKey secret(std::string_view names, std::string_view note) {
  ConfigKey key = text<&Options::monitoring, member>(names, Reload::restart, note);
  key.secret = true;
  return key;
}

constexpr ConfigKey keys[] = {
    {.names = "http",
     .type = KeyType::text,
     .note = "`host:port`, `:port` or `port` of monitoring",
     .apply = set_address<&Monitoring::port>,
     .shown = show_address<&Monitoring::port>},
    {.names = "https",
     .type = KeyType::text,
     .note = "the same, over TLS",
     .apply = set_address<&Monitoring::https_port>,
     .shown = show_address<&Monitoring::https_port>},
    {.names = "http_port,monitor_port",
     .type = KeyType::number,
     .note = "of monitoring; 0: none, -1: any",
     .apply = set_port<&Monitoring::port>,
     .shown = show<&Options::monitoring, &Monitoring::port>},
    {.names = "https_port",
     .type = KeyType::number,
     .note = "of monitoring over TLS, with the certificate of `tls`; 0: none, -1: any",
     .apply = set_port<&Monitoring::https_port>,
     .shown = show<&Options::monitoring, &Monitoring::https_port>},
    {.names = "http_base_path",
     .type = KeyType::text,
     .note = "in front of every path of monitoring",
     .apply = set_base_path,
     .shown = show<&Options::monitoring, &Monitoring::base_path>},
    text<&Options::monitoring, &Monitoring::user>("http_user", Reload::restart,
                                                  "Peal only: who may look at monitoring"),
    secret<&Monitoring::password>("http_password", "Peal only: of `http_user`"),
    secret<&Monitoring::token>("http_token", "Peal only: a bearer token that does as well"),
    {.names = "max_closed_clients",
     .type = KeyType::number,
     .note = "that `/connz?state=closed` remembers; 0: none",
     .apply = set_closed_clients,
     .shown = show<&Options::monitoring, &Monitoring::closed_clients_max>},
    duration<&Options::stats_interval>("stats_interval", Reload::restart,
                                       "Peal only: between lines of totals in the log; 0: none"),
    duration<&Options::slow_turn>(
        "slow_turn", Reload::live,
        "Peal only: a turn of a thread that takes so long is counted and logged; 0: none"),
    ignored("prof_port", KeyType::number, "profiles of Go; use perf"),
    ignored("prof_block_rate", KeyType::number, "profiles of Go; use perf"),
};

}  // namespace

std::span<const ConfigKey> monitoring_keys() { return keys; }

}  // namespace peal::server
