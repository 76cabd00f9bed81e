// /accountz and /accstatz. There is no system account. Where there is but the global account, its
// figures are the server's; where there are several, each one's are those of its open connections.

#include <fmt/format.h>

#include <map>
#include <optional>

#include "server/monitor/endpoints.hpp"
#include "server/monitor/go_text.hpp"
#include "server/monitor/match_statistics.hpp"

namespace peal::server::monitor {
namespace {

using protocol::JsonWriter;

struct Sums {
  uint64_t connections = 0;
  uint64_t subscriptions = 0;
  uint64_t in_messages = 0;
  uint64_t in_bytes = 0;
  uint64_t out_messages = 0;
  uint64_t out_bytes = 0;
  uint64_t slow_consumers = 0;
};

Sums sums_of(const Counters& counters) {
  return {counters.sum(&ShardPicture::connections),
          counters.sum(&ShardPicture::subscriptions),
          counters.sum(&ShardStats::in_messages),
          counters.sum(&ShardStats::in_bytes),
          counters.sum(&ShardStats::out_messages),
          counters.sum(&ShardStats::out_bytes),
          counters.slow_consumers()};
}

void add(Sums& sums, const ConnectionPicture& connection) {
  sums.connections++;
  sums.subscriptions += connection.subscriptions;
  sums.in_messages += connection.in_messages;
  sums.in_bytes += connection.in_bytes;
  sums.out_messages += connection.out_messages;
  sums.out_bytes += connection.out_bytes;
  sums.slow_consumers += connection.slow;
}

/// By the account's name. None when a shard does not answer.
std::optional<std::map<std::string, Sums>> sums_by_account(Context& context) {
  const Security& security = context.security();
  std::map<std::string, Sums> sums;
  if (security.accounts() == 1) {
    const Counters* const counters = context.collector.counters();
    if (counters == nullptr) return std::nullopt;
    sums[security.account(global_account)->name] = sums_of(*counters);
    return sums;
  }
  const std::vector<ConnectionPicture>* const connections = context.collector.connections(true);
  if (connections == nullptr) return std::nullopt;
  for (size_t id = 0; id < security.accounts(); id++) {
    const Account& account = *security.account(static_cast<AccountId>(id));
    if (!account.removed) sums.try_emplace(account.name);
  }
  for (const ConnectionPicture& connection : *connections) {
    add(sums[connection.account], connection);
  }
  return sums;
}

void write_detail(JsonWriter& json, const Context& context, const std::string& name,
                  const Sums& sums, const Counters& counters) {
  json.key("account_detail").begin_object();
  json.key("account_name").value(name);
  json.key("update_time").value(time_text(context.start_unix_ns));
  json.key("expired").value(false);
  json.key("complete").value(true);
  json.key("jetstream_enabled").value(false);
  json.key("leafnode_connections").value(0);
  json.key("client_connections").value(sums.connections);
  json.key("subscriptions").value(sums.subscriptions);
  json.key("name_tag").value(name);
  json.key("sublist_stats").begin_object();
  write_match_statistics(json, counters);
  json.end_object().end_object();
}

void write_messages(JsonWriter& json, uint64_t messages, uint64_t bytes) {
  json.key("msgs").value(messages);
  json.key("bytes").value(bytes);
}

void write_traffic(JsonWriter& json, const char* name, uint64_t messages, uint64_t bytes) {
  json.key(name).begin_object();
  write_messages(json, messages, bytes);
  for (const char* kind : {"gateways", "routes", "leafs"}) {
    json.key(kind).begin_object();
    write_messages(json, 0, 0);
    json.end_object();
  }
  json.end_object();
}

void write_statistics(JsonWriter& json, const std::string& name, const Sums& sums) {
  json.begin_object();
  json.key("acc").value(name);
  json.key("name").value(name);
  json.key("conns").value(sums.connections);
  json.key("leafnodes").value(0);
  json.key("total_conns").value(sums.connections);
  json.key("num_subscriptions").value(sums.subscriptions);
  // Sent by the server, and received by it.
  write_traffic(json, "sent", sums.out_messages, sums.out_bytes);
  write_traffic(json, "received", sums.in_messages, sums.in_bytes);
  json.key("slow_consumers").value(sums.slow_consumers);
  json.end_object();
}

}  // namespace

Response accountz(Context& context, Query& query) {
  const std::string wanted(query.text("acc"));
  const auto sums = sums_by_account(context);
  const Counters* const counters = context.collector.counters();
  if (!sums || counters == nullptr) return no_answer();
  const auto found = sums->find(wanted);
  if (!wanted.empty() && found == sums->end()) {
    query.fail(fmt::format("Account {} does not exist", wanted));
    return {};
  }
  JsonWriter json = begin_answer(context);
  if (wanted.empty()) {
    json.key("accounts").begin_array();
    for (const auto& each : *sums) json.value(each.first);
    json.end_array();
  } else {
    write_detail(json, context, wanted, found->second, *counters);
  }
  return end_answer(json);
}

Response accstatz(Context& context, Query& query) {
  const bool with_unused = query.boolean("unused");
  if (!query.error().empty()) return {};
  const auto sums = sums_by_account(context);
  if (!sums) return no_answer();
  JsonWriter json = begin_answer(context);
  json.key("account_statz").begin_array();
  for (const auto& [name, of_account] : *sums) {
    if (of_account.connections > 0 || with_unused) write_statistics(json, name, of_account);
  }
  json.end_array();
  return end_answer(json);
}

}  // namespace peal::server::monitor
