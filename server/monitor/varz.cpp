// /varz: what the server is, how it is set, and its totals.

#include "core/clock.hpp"
#include "protocol/utf8.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/monitor/go_text.hpp"

namespace peal::server::monitor {
namespace {

using protocol::JsonWriter;

void write_websocket(JsonWriter& json, const Context& context) {
  const WebSocketOptions& options = context.options().websocket;
  const ListenAddress& address = context.websocket_address();
  json.key("websocket").begin_object();
  if (address.port != 0) {
    json.key("host").value(address.host);
    json.key("port").value(int64_t{address.port});
    if (!options.advertise.empty()) json.key("advertise").value(options.advertise);
    if (!options.no_auth_user.empty()) json.key("no_auth_user").value(options.no_auth_user);
    json.key("handshake_timeout").value(int64_t{options.handshake_timeout.count()});
    if (options.auth_timeout) {
      json.key("auth_timeout").value(std::chrono::duration<double>(*options.auth_timeout).count());
    }
    if (options.no_tls) json.key("no_tls").value(true);
    if (options.tls && options.tls->verify_and_map) json.key("tls_map").value(true);
    if (options.tls && !options.tls->pinned_certs.empty()) {
      json.key("tls_pinned_certs").begin_array();
      for (const std::string& pin : options.tls->pinned_certs) json.value(pin);
      json.end_array();
    }
    if (options.same_origin) json.key("same_origin").value(true);
    if (!options.allowed_origins.empty()) {
      json.key("allowed_origins").begin_array();
      for (const std::string& origin : options.allowed_origins) json.value(origin);
      json.end_array();
    }
    if (options.compression) json.key("compression").value(true);
  }
  json.end_object();
}

void write_settings(JsonWriter& json, const Context& context) {
  const Options& options = context.options();
  const protocol::Info& info = context.info();
  json.key("max_connections").value(options.limits.connections_max);
  if (options.limits.subscriptions_max != 0) {
    json.key("max_subscriptions").value(options.limits.subscriptions_max);
  }
  json.key("ping_interval").value(int64_t{options.ping_interval.count()});
  json.key("ping_max").value(options.ping_max);
  json.key("http_host").value(context.host);
  const bool secured = options.monitoring.https_port != 0;
  json.key("http_port").value(int64_t{secured ? 0 : context.port});
  json.key("http_base_path").value(options.monitoring.base_path);
  json.key("https_port").value(int64_t{secured ? context.port : 0});
  json.key("auth_timeout")
      .value(std::chrono::duration<double>(context.security().auth_timeout()).count());
  json.key("max_control_line").value(options.limits.control_line_bytes_max);
  json.key("max_payload").value(info.max_payload);
  json.key("max_pending").value(options.limits.pending_bytes_max);
  // Peal has none of these; nats-server shows them empty where it is not set up for them.
  for (const char* part : {"cluster", "gateway", "leaf", "mqtt"}) {
    json.key(part).begin_object().end_object();
  }
  write_websocket(json, context);
  json.key("jetstream").begin_object().end_object();
  const TlsContext* const tls = context.tls().get();
  const std::chrono::duration<double> tls_timeout =
      tls == nullptr ? TlsOptions{}.timeout : tls->options().timeout;
  json.key("tls_timeout").value(tls_timeout.count());
  json.key("write_deadline").value(int64_t{options.write_deadline.count()});
}

// What it asks of clients; as in nats-server, only what it does ask.
void write_security(JsonWriter& json, const Context& context) {
  if (context.security().auth_required()) json.key("auth_required").value(true);
  const TlsContext* const tls = context.tls().get();
  if (tls == nullptr) return;
  if (!context.options().security.allow_non_tls) json.key("tls_required").value(true);
  if (tls->options().asks_for_certificate()) json.key("tls_verify").value(true);
  json.key("tls_cert_not_after").value(time_text(tls->not_after_unix_s() * core::second_ns));
}

void write_traffic(JsonWriter& json, const Counters& counters) {
  json.key("connections").value(counters.sum(&ShardPicture::connections));
  json.key("total_connections").value(counters.sum(&ShardStats::connections_total));
  for (const char* kind : {"routes", "remotes", "leafnodes"}) json.key(kind).value(0);
  const uint64_t in_messages = counters.sum(&ShardStats::in_messages);
  const uint64_t in_bytes = counters.sum(&ShardStats::in_bytes);
  const uint64_t out_messages = counters.sum(&ShardStats::out_messages);
  const uint64_t out_bytes = counters.sum(&ShardStats::out_bytes);
  json.key("in_msgs").value(in_messages);
  json.key("in_bytes").value(in_bytes);
  json.key("in_client_msgs").value(in_messages);
  json.key("in_client_bytes").value(in_bytes);
  json.key("out_msgs").value(out_messages);
  json.key("out_bytes").value(out_bytes);
  json.key("out_client_msgs").value(out_messages);
  json.key("out_client_bytes").value(out_bytes);
  json.key("slow_consumers").value(counters.slow_consumers());
  json.key("stale_connections").value(counters.closed(CloseReason::stale_connection));
  json.key("stalled_clients").value(counters.sum(&ShardStats::stalls));
  json.key("subscriptions").value(counters.sum(&ShardPicture::subscriptions));
}

void write_by_kind(JsonWriter& json, const char* name, uint64_t clients) {
  json.key(name).begin_object().key("clients").value(clients);
  for (const char* kind : {"routes", "gateways", "leafs"}) json.key(kind).value(0);
  json.end_object();
}

}  // namespace

Response varz(Context& context, Query&) {
  const Counters* const counters = context.collector.counters();
  if (counters == nullptr) return no_answer();
  const protocol::Info& info = context.info();
  JsonWriter json(protocol::JsonLayout::indented);
  json.begin_object();
  json.key("server_id").value(info.server_id);
  json.key("server_name").value(protocol::utf8_text(info.server_name));
  json.key("version").value(info.version);
  json.key("proto").value(1);
  json.key("go").value(info.go);
  json.key("host").value(info.host);
  json.key("port").value(int64_t{info.port});
  write_security(json, context);
  write_settings(json, context);
  json.key("start").value(time_text(context.start_unix_ns));
  json.key("now").value(time_text(Context::unix_now_ns()));
  json.key("uptime").value(uptime_text(context.uptime_ns()));
  json.key("mem").value(ProcessUse::resident_bytes());
  json.key("cores").value(ProcessUse::cores());
  json.key("gomaxprocs").value(uint64_t{counters->shards.size()});
  json.key("cpu").value(context.process.cpu_percent());
  write_traffic(json, *counters);
  json.key("http_req_stats").begin_object();
  for (const auto& [path, times] : context.asked) json.key(path).value(times);
  json.end_object();
  json.key("config_load_time").value(time_text(context.settings_unix_ns()));
  json.key("config_digest").value("");
  json.key("feature_flags").begin_object().end_object();
  write_by_kind(json, "slow_consumer_stats", counters->slow_consumers());
  write_by_kind(json, "stale_connection_stats", counters->closed(CloseReason::stale_connection));
  json.key("disk_io_wait_stats").begin_object();
  for (const char* name : {"waiters", "waits", "wait_time", "max_wait_time"}) {
    json.key(name).value(0);
  }
  json.end_object();
  return end_answer(json);
}

}  // namespace peal::server::monitor
