#include "server/config_file.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>
#include <string_view>
#include <variant>

#include "server/config_number.hpp"
#include "server/config_parser.hpp"
#include "server/spelling.hpp"

namespace peal::server {

namespace {

using Refusal = std::optional<std::string>;

/// What a key may change, and where it may leave a doubt.
struct Target {
  Options& options;
  std::vector<std::string>& warnings;
};

struct Key {
  std::string_view names;  // The first is the usual one, the others are as good.
  Refusal (*apply)(Target& target, const ConfigValue& value);
};

Refusal expected(std::string_view what, const ConfigValue& found) {
  return fmt::format("expected {}, found {}", what, kind_of(found));
}

template <bool Options::*member>
Refusal set_bool(Target& target, const ConfigValue& value) {
  const bool* const truth = std::get_if<bool>(&value.content);
  if (truth == nullptr) return expected("true or false", value);
  target.options.*member = *truth;
  return {};
}

// A name that happens to be a number, or "on", is a name.
template <std::string Options::*member>
Refusal set_text(Target& target, const ConfigValue& value) {
  std::string& out = target.options.*member;
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

// As in nats-server, 0 asks for the default; what is unlimited has 0 as its default.
template <auto member, int64_t highest>
Refusal set_limit(Target& target, const ConfigValue& value) {
  int64_t limit = 0;
  if (auto refusal = read_integer(value, 0, highest, limit)) return refusal;
  auto& out = target.options.limits.*member;
  out = limit == 0 ? Limits{}.*member : static_cast<std::remove_reference_t<decltype(out)>>(limit);
  return {};
}

template <auto member, int64_t highest>
Refusal set_number(Target& target, const ConfigValue& value) {
  int64_t number = 0;
  if (auto refusal = read_integer(value, 0, highest, number)) return refusal;
  auto& out = target.options.*member;
  out =
      number == 0 ? Options{}.*member : static_cast<std::remove_reference_t<decltype(out)>>(number);
  return {};
}

// A bare 2m has always been two million to this grammar, and so two million seconds. Nobody means
// that, so it is refused; a bare 120 is taken for seconds, as nats-server does.
template <Options::Duration Options::*member>
Refusal set_duration(Target& target, const ConfigValue& value) {
  constexpr int64_t seconds_max = 1'000'000'000;
  Options::Duration duration{};
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    const auto parsed = config_duration(*text);
    if (!parsed)
      return fmt::format("'{}' is no time; write it as \"2m\", \"1h30m\" or \"500ms\"", *text);
    duration = *parsed;
  } else if (const auto* integer = std::get_if<ConfigInteger>(&value.content)) {
    if (integer->text.find_first_not_of("-0123456789") != std::string::npos) {
      return fmt::format("a bare {0} is a number; write \"{0}\" for a time", integer->text);
    }
    if (integer->value < 0 || integer->value > seconds_max) {
      return fmt::format("{} is not between 0 and {}", integer->text, seconds_max);
    }
    target.warnings.push_back(error_at(
        value.position, fmt::format("{0} is taken for seconds; write \"{0}s\"", integer->text)));
    duration = std::chrono::seconds(integer->value);
  } else {
    return expected("a time such as \"2m\"", value);
  }
  target.options.*member = duration == Options::Duration{} ? Options{}.*member : duration;
  return {};
}

Refusal set_port(Target& target, const ConfigValue& value) {
  int64_t port = 0;
  if (auto refusal = read_integer(value, -1, 65535, port)) return refusal;
  target.options.port = port == 0 ? Options{}.port : static_cast<int>(port);
  return {};
}

// 4222, ":4222", "host:4222" or "[::1]:4222".
Refusal set_listen(Target& target, const ConfigValue& value) {
  const auto* const text = std::get_if<std::string>(&value.content);
  if (text == nullptr) return set_port(target, value);
  const size_t colon = text->rfind(':');
  std::string_view host = std::string_view(*text).substr(0, colon == text->npos ? 0 : colon);
  const std::string_view digits = std::string_view(*text).substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  ConfigValue port{ConfigInteger{config_integer(digits).value_or(-2), std::string(digits)}, {}};
  if (colon == text->npos || digits.empty()) return fmt::format("'{}' is not HOST:PORT", *text);
  if (auto refusal = set_port(target, port)) return refusal;
  if (!host.empty()) target.options.host = host;
  return {};
}

Refusal set_trace_verbose(Target& target, const ConfigValue& value) {
  return set_bool<&Options::trace>(target, value);
}

constexpr int64_t bytes_max = int64_t{1} << 40;
constexpr int64_t payload_max = 999'999'999;  // The protocol's sizes have nine digits at most.
constexpr int64_t count_max = INT32_MAX;

constexpr Key keys[] = {
    {"listen", set_listen},
    {"host,net", set_text<&Options::host>},
    {"port", set_port},
    {"client_advertise", set_text<&Options::client_advertise>},
    {"server_name", set_text<&Options::server_name>},
    {"threads", set_number<&Options::threads, threads_max>},
    {"memory_budget", set_number<&Options::memory_budget_bytes, bytes_max>},
    {"debug", set_bool<&Options::debug>},
    {"trace", set_bool<&Options::trace>},
    {"trace_verbose", set_trace_verbose},
    {"logtime", set_bool<&Options::logtime>},
    {"logtime_utc", set_bool<&Options::logtime_utc>},
    {"log_file,logfile", set_text<&Options::log_file>},
    {"pid_file,pidfile", set_text<&Options::pid_file>},
    {"ports_file_dir", set_text<&Options::ports_file_dir>},
    {"max_control_line", set_limit<&Limits::control_line_bytes_max, count_max>},
    {"max_payload", set_limit<&Limits::payload_bytes_max, payload_max>},
    {"max_pending", set_limit<&Limits::pending_bytes_max, bytes_max>},
    {"max_connections,max_conn", set_limit<&Limits::connections_max, count_max>},
    {"max_subscriptions,max_subs", set_limit<&Limits::subscriptions_max, count_max>},
    {"max_sub_tokens,max_subscription_tokens",
     set_limit<&Limits::subscription_tokens_max, count_max>},
    {"ping_interval", set_duration<&Options::ping_interval>},
    {"ping_max", set_number<&Options::ping_max, count_max>},
    {"write_deadline", set_duration<&Options::write_deadline>},
    {"lame_duck_duration", set_duration<&Options::lame_duck_duration>},
    {"lame_duck_grace_period", set_duration<&Options::lame_duck_grace_period>},
    {"no_header_support", set_bool<&Options::no_header_support>},
};

// What nats-server knows and Peal does not, yet. Ignoring one of these in silence would leave
// somebody with a server less safe, or less durable, than he asked for.
constexpr std::string_view keys_to_come[] = {
    "accounts",
    "account_resolver",
    "allow_non_tls",
    "authorization",
    "cluster",
    "connect_error_reports",
    "default_js_domain",
    "default_sentinel",
    "disable_sublist_cache",
    "feature_flags",
    "gateway",
    "http",
    "http_base_path",
    "http_port",
    "https",
    "https_port",
    "jetstream",
    "leaf",
    "leafnodes",
    "log_max_num",
    "log_size_limit",
    "logfile_max_num",
    "logfile_size_limit",
    "mappings",
    "maps",
    "max_closed_clients",
    "max_traced_msg_len",
    "monitor_port",
    "mqtt",
    "no_auth_user",
    "no_fast_producer_stall",
    "no_sublist_cache",
    "no_sys_acc",
    "no_system",
    "no_system_account",
    "ocsp",
    "ocsp_cache",
    "operator",
    "operators",
    "prof_block_rate",
    "prof_port",
    "proxies",
    "proxy_protocol",
    "reconnect_error_reports",
    "remote_syslog",
    "resolver",
    "resolver_pinned_accounts",
    "resolver_preload",
    "resolver_tls",
    "root",
    "roots",
    "server_metadata",
    "server_tags",
    "store_dir",
    "storedir",
    "syslog",
    "system",
    "system_account",
    "tls",
    "trace_headers",
    "trusted",
    "trusted_keys",
    "websocket",
    "write_timeout",
    "ws",
};

bool has_name(std::string_view names, std::string_view wanted) {
  for (;;) {
    const size_t comma = names.find(',');
    if (names.substr(0, comma) == wanted) return true;
    if (comma == names.npos) return false;
    names.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> all_names() {
  std::vector<std::string_view> names(std::begin(keys_to_come), std::end(keys_to_come));
  for (const Key& key : keys) {
    std::string_view rest = key.names;
    for (size_t comma; (comma = rest.find(',')) != rest.npos; rest.remove_prefix(comma + 1)) {
      names.push_back(rest.substr(0, comma));
    }
    names.push_back(rest);
  }
  return names;
}

/// An empty block, "false" and the like ask for nothing that we could fail to do.
bool asks_for_nothing(const ConfigValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.content)) return text->empty();
  if (const auto* truth = std::get_if<bool>(&value.content)) return !*truth;
  if (const auto* array = std::get_if<ConfigArray>(&value.content)) return array->empty();
  if (const auto* map = std::get_if<ConfigMap>(&value.content)) return map->entries.empty();
  return false;
}

Refusal apply_entry(Target& target, const ConfigEntry& entry) {
  const std::string name = folded_name(entry.key);
  for (const Key& key : keys) {
    if (!has_name(key.names, name)) continue;
    const Refusal refusal = key.apply(target, entry.value);
    if (!refusal) return {};
    return error_at(entry.value.position, fmt::format("{}: {}", entry.key, *refusal));
  }
  for (const std::string_view to_come : keys_to_come) {
    if (name != to_come) continue;
    const std::string text =
        error_at(entry.position, fmt::format("{}: not supported yet", entry.key));
    if (!asks_for_nothing(entry.value)) return text;
    target.warnings.push_back(text);
    return {};
  }
  if (entry.is_variable) return {};
  return error_at(entry.position, fmt::format("unknown field \"{}\"{}", entry.key,
                                              did_you_mean(entry.key, all_names())));
}

}  // namespace

std::optional<std::string> apply_config(const std::string& path, Options& options,
                                        std::vector<std::string>& warnings) {
  const auto parsed = parse_config_file(path);
  if (const auto* error = std::get_if<std::string>(&parsed)) return *error;
  Target target{options, warnings};
  for (const ConfigEntry& entry : std::get<ConfigMap>(parsed).entries) {
    if (auto error = apply_entry(target, entry)) return error;
  }
  return {};
}

}  // namespace peal::server
