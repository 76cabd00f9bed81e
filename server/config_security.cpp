#include "server/config_security.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/limits.hpp"
#include "protocol/subject.hpp"
#include "server/config_reading.hpp"
#include "server/config_tls.hpp"
#include "server/nkey.hpp"
#include "server/permissions.hpp"
#include "server/security.hpp"
#include "server/spelling.hpp"

namespace peal::server {
namespace {

constexpr int64_t count_max = INT32_MAX;

bool is_array(const ConfigValue& value) {
  return std::holds_alternative<ConfigArray>(value.content);
}
bool is_map(const ConfigValue& value) { return std::holds_alternative<ConfigMap>(value.content); }

// ---- Permissions.

enum class Side { publish, subscribe };

// An empty list would have to mean nothing at all, and in nats-server means everything.
ConfigError read_filters(Side side, const ConfigValue& value, std::vector<std::string>& out) {
  if (auto error = read_texts(value, out)) return error;
  for (const std::string& text : out) {
    const bool good = side == Side::publish ? protocol::is_valid_filter(text) &&
                                                  text.find_first_of(" \t") == std::string::npos
                                            : read_subscribe_rule(text).has_value();
    if (good) continue;
    return error_at(value.position, fmt::format("\"{}\" is not a valid subject", text));
  }
  return {};
}

ConfigError read_allow(Side side, const ConfigValue& value, SubjectRules& rules) {
  std::vector<std::string> allow;
  if (auto error = read_filters(side, value, allow)) return error;
  if (allow.empty()) {
    return error_at(value.position,
                    "an empty list of what is allowed; write deny: \">\" to allow nothing, or "
                    "leave the list out to allow everything");
  }
  rules.allow = std::move(allow);
  return {};
}

ConfigError read_rules(Side side, const ConfigValue& value, SubjectRules& rules) {
  if (!is_map(value)) return read_allow(side, value, rules);
  const std::array keys{
      BlockKey{"allow",
               [&](const ConfigEntry& entry) { return read_allow(side, entry.value, rules); }},
      BlockKey{
          "deny",
          [&](const ConfigEntry& entry) { return read_filters(side, entry.value, rules.deny); }},
  };
  return read_block(side == Side::publish ? "publish permissions" : "subscribe permissions", value,
                    keys);
}

ConfigError read_responses(const ConfigValue& value, std::optional<ResponseRules>& responses) {
  if (const bool* const truth = std::get_if<bool>(&value.content)) {
    if (*truth) responses.emplace();
    return {};
  }
  ResponseRules rules;
  const std::array keys{
      integer_key("max,max_msgs,max_messages,max_responses", -1, count_max, rules.messages_max),
      value_key("expires,expiration,ttl",
                [&](const ConfigValue& of) {
                  return read_signed_duration(of, rules.expires);  // Below 0: for ever.
                }),
  };
  if (auto error = read_block("allow_responses", value, keys)) return error;
  // As in nats-server, 0 asks for the default.
  if (rules.messages_max == 0) rules.messages_max = ResponseRules{}.messages_max;
  if (rules.expires.count() == 0) rules.expires = ResponseRules{}.expires;
  responses = rules;
  return {};
}

ConfigError read_permissions(const ConfigValue& value, std::optional<PermissionRules>& out) {
  PermissionRules rules;
  const std::array keys{
      BlockKey{"publish,pub,import",
               [&](const ConfigEntry& entry) {
                 return read_rules(Side::publish, entry.value, rules.publish);
               }},
      BlockKey{"subscribe,sub,export",
               [&](const ConfigEntry& entry) {
                 return read_rules(Side::subscribe, entry.value, rules.subscribe);
               }},
      BlockKey{
          "allow_responses,publish_allow_responses",
          [&](const ConfigEntry& entry) { return read_responses(entry.value, rules.responses); }},
  };
  if (auto error = read_block("permissions", value, keys)) return error;
  out = std::move(rules);
  return {};
}

// ---- Users.

ConfigError read_connection_types(const ConfigValue& value, uint8_t& out) {
  static constexpr std::string_view others[] = {"LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS",
                                                "IN_PROCESS"};
  std::vector<std::string> types;
  if (auto error = read_texts(value, types)) return error;
  if (types.empty()) return {};
  out = 0;
  for (const std::string& written : types) {
    const std::string type = in_capitals(written);
    if (type == "STANDARD") {
      out |= static_cast<uint8_t>(ConnectionType::standard);
    } else if (type == "WEBSOCKET") {
      out |= static_cast<uint8_t>(ConnectionType::websocket);
    } else if (std::ranges::find(others, type) == std::end(others)) {
      return error_at(value.position, fmt::format("\"{}\" is no connection type", type));
    }
  }
  if (out != 0) return {};
  return error_at(
      value.position,
      "a user with neither of the connection types STANDARD and WEBSOCKET is not supported yet");
}

// What stands where a public key should may be the seed, so it is not shown.
ConfigError not_a_public_key(const ConfigValue& user, std::string_view text) {
  if (text.starts_with('S')) {
    return error_at(user.position,
                    "the nkey of this user looks like a seed, which is a secret of the user's; "
                    "write the public key, which begins with U");
  }
  return error_at(user.position, "the nkey of this user is no public nkey of a user");
}

ConfigError read_user(const ConfigValue& value, std::vector<UserOptions>& users,
                      std::vector<std::string>& warnings) {
  UserOptions user;
  std::string nkey;
  const std::array keys{
      text_key("user,username", user.name),
      text_key("password,pass", user.password),
      text_key("nkey", nkey),
      BlockKey{"permissions,permission,authorization",
               [&](const ConfigEntry& entry) {
                 return read_permissions(entry.value, user.permissions);
               }},
      BlockKey{"allowed_connection_types,connection_types,clients",
               [&](const ConfigEntry& entry) {
                 return read_connection_types(entry.value, user.connection_types);
               }},
      BlockKey{"proxy_required", not_supported_yet},
  };
  if (auto error = read_block("a user", value, keys)) return error;
  if (!nkey.empty()) {
    if (!user.name.empty() || !user.password.empty()) {
      return error_at(value.position, "a user has a name and a password, or an nkey, not both");
    }
    if (!decode_user_nkey(nkey)) return not_a_public_key(value, nkey);
    user.name = nkey;
    user.is_nkey = true;
  } else if (user.name.empty()) {
    return error_at(value.position, "a user needs a name: user, or nkey");
  } else if (user.password.empty()) {
    warnings.push_back(
        error_at(value.position,
                 "this user has no password: unless certificates name users (verify_and_map), "
                 "whoever knows the name is he"));
  }
  users.push_back(std::move(user));
  return {};
}

ConfigError read_users(const ConfigValue& value, std::vector<UserOptions>& users,
                       std::vector<std::string>& warnings) {
  if (!is_array(value)) return placed(value.position, expected("an array of users", value));
  for (const ConfigValue& item : std::get<ConfigArray>(value.content)) {
    if (auto error = read_user(item, users, warnings)) return error;
  }
  return {};
}

ConfigError read_authorization(const ConfigValue& value, SecurityOptions& options,
                               std::vector<std::string>& warnings) {
  const std::array keys{
      text_key("user,username", options.user),
      text_key("password,pass", options.password),
      text_key("token", options.token),
      BlockKey{"users",
               [&](const ConfigEntry& entry) {
                 return read_users(entry.value, options.users, warnings);
               }},
      duration_key("timeout", options.auth_timeout),
      BlockKey{"default_permissions,default_permission,permissions",
               [&](const ConfigEntry& entry) {
                 return read_permissions(entry.value, options.default_permissions);
               }},
      BlockKey{"auth_callout,auth_hook", not_supported_yet},
      BlockKey{"proxy_required", not_supported_yet},
  };
  return read_block("authorization", value, keys);
}

// ---- Accounts.

ConfigError read_limits(const ConfigValue& value, AccountOptions& account) {
  int64_t unused = 0;  // There are no leaf nodes to be limited.
  const std::array keys{
      integer_key("max_connections,max_conn", -1, count_max, account.connections_max),
      integer_key("max_subscriptions,max_subs", -1, count_max, account.subscriptions_max),
      integer_key("max_payload,max_pay", -1, protocol::number_max, account.payload_bytes_max),
      integer_key("max_leafnodes,max_leafs", -1, count_max, unused),
  };
  return read_block("account limits", value, keys);
}

ConfigError read_account(const ConfigEntry& entry, SecurityOptions& options,
                         std::vector<std::string>& warnings) {
  AccountOptions account;
  account.name = entry.key;
  if (account.name == global_account_name) {
    return error_at(entry.position,
                    "\"$G\" is the account of all who are in no other, and is not "
                    "defined here; put its users into authorization");
  }
  const std::array keys{
      BlockKey{
          "users",
          [&](const ConfigEntry& of) { return read_users(of.value, account.users, warnings); }},
      BlockKey{"limits", [&](const ConfigEntry& of) { return read_limits(of.value, account); }},
      BlockKey{"default_permissions",
               [&](const ConfigEntry& of) {
                 return read_permissions(of.value, account.default_permissions);
               }},
      BlockKey{"imports", not_supported_yet},
      BlockKey{"exports", not_supported_yet},
      BlockKey{"mappings,maps", not_supported_yet},
      BlockKey{"jetstream", not_supported_yet},
      BlockKey{"nkey", not_supported_yet},
      BlockKey{"msg_trace,trace_dest", not_supported_yet},
  };
  if (auto error = read_block(fmt::format("account \"{}\"", account.name), entry.value, keys)) {
    return error;
  }
  options.accounts.push_back(std::move(account));
  return {};
}

ConfigError read_accounts(const ConfigValue& value, SecurityOptions& options,
                          std::vector<std::string>& warnings) {
  if (is_array(value)) {
    std::vector<std::string> names;
    if (auto error = read_texts(value, names)) return error;
    for (std::string& name : names) options.accounts.emplace_back().name = std::move(name);
  } else if (is_map(value)) {
    for (const ConfigEntry& entry : std::get<ConfigMap>(value.content).entries) {
      if (auto error = read_account(entry, options, warnings)) return error;
    }
  } else {
    return placed(value.position, expected("a map of accounts", value));
  }
  if (options.accounts.size() >= accounts_max) {
    return error_at(value.position, fmt::format("{} accounts are more than {}",
                                                options.accounts.size(), accounts_max - 1));
  }
  return {};
}

}  // namespace

bool is_security_key(std::string_view name) {
  return std::ranges::find(security_blocks, name) != std::end(security_blocks);
}

std::optional<std::string> apply_security(std::string_view name, const ConfigEntry& entry,
                                          SecurityOptions& options,
                                          std::vector<std::string>& warnings) {
  if (name == "authorization") return read_authorization(entry.value, options, warnings);
  if (name == "accounts") return read_accounts(entry.value, options, warnings);
  return read_tls(entry.value, options.tls);
}

}  // namespace peal::server
