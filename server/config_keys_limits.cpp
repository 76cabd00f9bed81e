// What one client may use, and what all may.

#include "protocol/limits.hpp"
#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;

constexpr int64_t bytes_max = int64_t{1} << 40;
constexpr int64_t count_max = INT32_MAX;

// -1 is nats-server's other word for no limit.
template <auto member>
Refusal set_unlimited(ConfigTarget& target, const ConfigValue& value) {
  int64_t number = 0;
  if (auto refusal = read_integer(value, -1, count_max, number)) return refusal;
  target.options.limits.*member = number < 0 ? 0 : static_cast<uint32_t>(number);
  return {};
}

Refusal check_write_timeout(ConfigTarget&, const ConfigValue& value) {
  std::string policy;
  if (auto refusal = read_text(value, policy)) return refusal;
  if (policy == "default" || policy == "close") return {};
  return fmt::format("'{}' is not supported: a client that misses write_deadline is closed",
                     policy);
}

template <auto member>
constexpr ConfigKey unlimited(std::string_view names, std::string_view note) {
  return {.names = names,
          .type = KeyType::number,
          .reload = Reload::live,
          .note = note,
          .apply = set_unlimited<member>,
          .shown = show<&Options::limits, member>};
}

constexpr ConfigKey keys[] = {
    number<0, count_max, &Options::limits, &Limits::control_line_bytes_max>(
        "max_control_line", Reload::live,
        "arguments of one protocol line; to raise it above 8192 may need a restart",
        KeyType::bytes),
    number<0, protocol::number_max, &Options::limits, &Limits::payload_bytes_max>(
        "max_payload", Reload::live, "of one message; a change is told to all clients",
        KeyType::bytes),
    number<0, bytes_max, &Options::limits, &Limits::pending_bytes_max>(
        "max_pending", Reload::live, "what may wait for one client", KeyType::bytes),
    number<0, count_max, &Options::limits, &Limits::connections_max>(
        "max_connections,max_conn", Reload::live, "a lower one closes the newest"),
    unlimited<&Limits::subscriptions_max>("max_subscriptions,max_subs",
                                          "of one connection; 0: unlimited"),
    number<0, 255, &Options::limits, &Limits::subscription_tokens_max>(
        "max_sub_tokens,max_subscription_tokens", Reload::live,
        "of the subject of a SUB, 255 at most; 0: unlimited"),
    duration<&Options::ping_interval>("ping_interval", Reload::live, "between PINGs to a client"),
    number<0, 255, &Options::ping_max>("ping_max", Reload::live,
                                       "unanswered ones after which it is stale"),
    duration<&Options::write_deadline>("write_deadline", Reload::live,
                                       "for a client to take something of what waits for it"),
    {.names = "write_timeout",
     .type = KeyType::text,
     .note = "`default` or `close`: a client that misses write_deadline is closed",
     .apply = check_write_timeout},
    ignored("no_fast_producer_stall", KeyType::boolean,
            "a subscriber that is stuck stalls nobody, see docs/decisions/0006"),
    number<0, bytes_max, &Options::memory_budget_bytes>(
        "memory_budget", Reload::restart,
        "Peal only: of the whole server; 0: three quarters of what is allowed", KeyType::bytes),
    ignored("no_sublist_cache,disable_sublist_cache", KeyType::boolean,
            "there is no such cache to switch off"),
};

}  // namespace

std::span<const ConfigKey> limit_keys() { return keys; }

}  // namespace peal::server
