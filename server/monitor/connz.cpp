// /connz: the connections that are, or were, one by one.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/clock.hpp"
#include "protocol/letter_case.hpp"
#include "protocol/utf8.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/monitor/go_text.hpp"

namespace peal::server::monitor {
namespace {

using protocol::JsonWriter;
using Row = ConnectionPicture;

// What one answer may list; past it whoever asks has to ask for less at a time.
constexpr size_t subscriptions_max = 200'000;

enum class State { open, closed, any };
enum class Subscriptions { none, names, detail };

struct Wish {
  std::string_view sort;
  Page page;
  State state = State::open;
  Subscriptions subscriptions = Subscriptions::none;
  bool auth = false;
  uint64_t cid = 0;  // 0: all.
  std::string_view user, account, mqtt_client;
};

struct Listed {
  Row row;
  ShardId shard;
};

using Before = bool (*)(const Row&, const Row&);

/// As in nats-server: the biggest or latest first, but for what is a name or a number of its own,
/// and for how long it has been there.
struct Order {
  std::string_view name;
  Before before;
};

template <auto member>
bool descending(const Row& a, const Row& b) {
  return a.*member > b.*member;
}
template <auto member>
bool ascending(const Row& a, const Row& b) {
  return a.*member < b.*member;
}

bool shorter_up(const Row& a, const Row& b) {
  const auto up_ns = [](const Row& row) {
    return (row.open ? core::monotonic_ns() : row.stop_ns) - row.start_ns;
  };
  return up_ns(a) < up_ns(b);
}

constexpr Order orders[] = {
    {"", ascending<&Row::cid>},
    {"cid", ascending<&Row::cid>},
    {"start", ascending<&Row::start_ns>},
    {"subs", descending<&Row::subscriptions>},
    {"pending", descending<&Row::pending_bytes>},
    {"msgs_to", descending<&Row::out_messages>},
    {"msgs_from", descending<&Row::in_messages>},
    {"bytes_to", descending<&Row::out_bytes>},
    {"bytes_from", descending<&Row::in_bytes>},
    {"last", descending<&Row::active_ns>},
    {"idle", ascending<&Row::active_ns>},
    {"uptime", shorter_up},
    {"stop", descending<&Row::stop_ns>},
    {"reason", ascending<&Row::reason>},
    {"rtt", descending<&Row::rtt_ns>},
};

State read_state(Query& query) {
  const std::string state = protocol::lowered(query.text("state"));
  if (state.empty() || state == "open") return State::open;
  if (state == "closed") return State::closed;
  if (state == "any" || state == "all") return State::any;
  query.fail(fmt::format("Error decoding state for {}", query.text("state")));
  return State::open;
}

Wish read_wish(Query& query) {
  Wish wish;
  wish.sort = query.text("sort");
  wish.auth = query.boolean("auth");
  if (protocol::lowered(query.text("subs")) == "detail") {
    wish.subscriptions = Subscriptions::detail;
  } else if (query.boolean("subs")) {
    wish.subscriptions = Subscriptions::names;
  }
  wish.page = Page::of(query);
  wish.cid = query.identifier("cid");
  wish.state = read_state(query);
  wish.user = query.text("user");
  wish.account = query.text("acc");
  wish.mqtt_client = query.text("mqtt_client");
  if (wish.cid != 0) wish.page = {0, 1};
  return wish;
}

const Order* find_order(const Wish& wish, Query& query) {
  const auto order = std::find_if(std::begin(orders), std::end(orders),
                                  [&](const Order& each) { return each.name == wish.sort; });
  if (order == std::end(orders)) {
    query.fail(fmt::format("invalid sorting option: {}", wish.sort));
    return nullptr;
  }
  const bool needs_end = wish.sort == "stop" || wish.sort == "reason";
  if (needs_end && wish.state != State::closed) {
    query.fail(fmt::format("sort by {} only valid on closed connections", wish.sort));
    return nullptr;
  }
  return order;
}

// Nobody has an MQTT identity.
bool wanted(const Row& row, const Wish& wish) {
  if (wish.cid != 0) return row.cid == wish.cid;
  return wish.mqtt_client.empty() && (wish.user.empty() || wish.user == row.user) &&
         (wish.account.empty() || wish.account == row.account);
}

/// Adds those that are wanted; the count is of all, or of all in the account that is asked for.
/// Nothing when a shard does not answer.
std::optional<size_t> collect(Context& context, const Wish& wish, bool open,
                              std::vector<Listed>& listed) {
  const std::vector<Row>* const rows = context.collector.connections(open);
  if (rows == nullptr) return std::nullopt;
  for (size_t i = 0; i < rows->size(); i++) {
    if (wanted((*rows)[i], wish)) listed.push_back({(*rows)[i], context.collector.shard_of(i)});
  }
  if (wish.account.empty()) return rows->size();
  return static_cast<size_t>(std::ranges::count(*rows, wish.account, &Row::account));
}

void write_subscriptions(JsonWriter& json, const std::vector<SubscriptionPicture>& subscriptions,
                         Subscriptions how) {
  if (subscriptions.empty()) return;
  json.key(how == Subscriptions::names ? "subscriptions_list" : "subscriptions_list_detail");
  json.begin_array();
  // A connection's subscriptions are kept the latest first.
  for (auto each = subscriptions.rbegin(); each != subscriptions.rend(); ++each) {
    if (how == Subscriptions::names) {
      json.value(protocol::utf8_text(each->subject));
      continue;
    }
    json.begin_object();
    json.key("subject").value(protocol::utf8_text(each->subject));
    if (!each->queue.empty()) json.key("qgroup").value(protocol::utf8_text(each->queue));
    json.key("sid").value(protocol::utf8_text(each->sid));
    json.key("msgs").value(each->messages);
    if (each->messages_max != 0) json.key("max").value(each->messages_max);
    json.key("cid").value(each->cid);
    json.end_object();
  }
  json.end_array();
}

void write_tls(JsonWriter& json, const Row& row) {
  if (row.tls_version.empty()) return;
  json.key("tls_version").value(row.tls_version);
  json.key("tls_cipher_suite").value(row.tls_cipher);
  if (row.certificates != nullptr) {
    json.key("tls_peer_certs").begin_array();
    for (const CertificatePicture& certificate : *row.certificates) {
      json.begin_object();
      json.key("subject").value(protocol::utf8_text(certificate.subject));
      json.key("spki_sha256").value(certificate.key_sha256);
      json.key("cert_sha256").value(certificate.certificate_sha256);
      json.end_object();
    }
    json.end_array();
  }
  if (row.tls_first) json.key("tls_first").value(true);
}

void write_row(JsonWriter& json, const Context& context, const Row& row) {
  const int64_t end_ns = row.open ? core::monotonic_ns() : row.stop_ns;
  json.key("cid").value(row.cid);
  json.key("kind").value("Client");
  json.key("type").value(row.websocket ? "websocket" : "nats");
  json.key("ip").value(row.host);
  json.key("port").value(int64_t{row.port});
  json.key("start").value(time_text(context.unix_ns(row.start_ns)));
  json.key("last_activity").value(time_text(context.unix_ns(row.active_ns)));
  if (!row.open) {
    json.key("stop").value(time_text(context.unix_ns(row.stop_ns)));
    json.key("reason").value(row.reason);
  }
  if (row.rtt_ns > 0) json.key("rtt").value(duration_text(row.rtt_ns / 1000 * 1000));
  json.key("uptime").value(uptime_text(end_ns - row.start_ns));
  json.key("idle").value(uptime_text(end_ns - row.active_ns));
  json.key("pending_bytes").value(row.pending_bytes);
  json.key("in_msgs").value(row.in_messages);
  json.key("out_msgs").value(row.out_messages);
  json.key("in_bytes").value(row.in_bytes);
  json.key("out_bytes").value(row.out_bytes);
  if (row.stalls != 0) json.key("stalls").value(row.stalls);
  json.key("subscriptions").value(row.subscriptions);
  if (!row.name.empty()) json.key("name").value(protocol::utf8_text(row.name));
  if (!row.lang.empty()) json.key("lang").value(protocol::utf8_text(row.lang));
  if (!row.version.empty()) json.key("version").value(protocol::utf8_text(row.version));
  write_tls(json, row);
}

}  // namespace

Response connz(Context& context, Query& query) {
  const Wish wish = read_wish(query);
  const Order* const order = find_order(wish, query);
  if (!query.error().empty() || order == nullptr) return {};

  std::vector<Listed> listed;
  size_t total = 0;
  for (const bool open : {true, false}) {
    if (wish.state == (open ? State::closed : State::open)) continue;
    const auto count = collect(context, wish, open, listed);
    if (!count) return no_answer();
    total += *count;
  }
  std::ranges::sort(listed, [&](const Listed& a, const Listed& b) {
    if (order->before(a.row, b.row)) return true;
    return !order->before(b.row, a.row) && a.row.cid < b.row.cid;
  });
  const auto [begin, end] = wish.page.range(listed.size());

  JsonWriter json = begin_answer(context);
  json.key("num_connections").value(uint64_t{end - begin});
  json.key("total").value(uint64_t{total});
  json.key("offset").value(wish.page.offset);
  json.key("limit").value(wish.page.limit);
  json.key("connections").begin_array();
  size_t subscriptions_listed = 0;
  for (size_t i = begin; i < end; i++) {
    const auto& [row, shard] = listed[i];
    json.begin_object();
    write_row(json, context, row);
    if (wish.subscriptions != Subscriptions::none && row.open && row.subscriptions > 0) {
      const auto* const subscriptions =
          context.collector.subscriptions_of(shard, row, subscriptions_max);
      if (subscriptions == nullptr) return no_answer();
      subscriptions_listed += subscriptions->size();
      if (subscriptions_listed > subscriptions_max) {
        return refusal(400, "too many subscriptions for one answer; ask with a lower limit");
      }
      write_subscriptions(json, *subscriptions, wish.subscriptions);
    }
    if (wish.auth) {
      if (!row.user.empty()) json.key("authorized_user").value(protocol::utf8_text(row.user));
      if (row.account != "$G") json.key("account").value(row.account);
      json.key("name_tag").value(row.account);
    }
    json.end_object();
  }
  json.end_array();
  return end_answer(json);
}

}  // namespace peal::server::monitor
