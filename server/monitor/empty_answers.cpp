// What nats-server tells of things that Peal does not have: other servers, streams. The answers are
// those of a nats-server that has none of them either.

#include <initializer_list>

#include "protocol/utf8.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/monitor/go_text.hpp"

namespace peal::server::monitor {

using protocol::JsonWriter;

Response routez(Context& context, Query& query) {
  query.boolean_or("subs", "detail");
  JsonWriter json(protocol::JsonLayout::indented);
  json.begin_object();
  json.key("server_id").value(context.info().server_id);
  json.key("server_name").value(protocol::utf8_text(context.info().server_name));
  json.key("now").value(time_text(Context::unix_now_ns()));
  json.key("num_routes").value(0);
  json.key("routes").begin_array().end_array();
  return end_answer(json);
}

Response leafz(Context& context, Query& query) {
  query.boolean("subs");
  JsonWriter json = begin_answer(context);
  json.key("leafnodes").value(0);
  json.key("leafs").begin_array().end_array();
  return end_answer(json);
}

Response gatewayz(Context& context, Query& query) {
  query.boolean("accs");
  JsonWriter json = begin_answer(context);
  json.key("outbound_gateways").begin_object().end_object();
  json.key("inbound_gateways").begin_object().end_object();
  return end_answer(json);
}

Response jsz(Context& context, Query& query) {
  for (const char* flag :
       {"accounts", "streams", "consumers", "direct-consumers", "config", "leader-only", "raft"}) {
    query.boolean(flag);
  }
  Page::of(query);
  JsonWriter json(protocol::JsonLayout::indented);
  json.begin_object();
  for (const char* name :
       {"memory", "storage", "reserved_memory", "reserved_storage", "accounts", "ha_assets"}) {
    json.key(name).value(0);
  }
  json.key("api").begin_object();
  for (const char* name : {"level", "total", "errors"}) json.key(name).value(0);
  json.end_object();
  json.key("server_id").value(context.info().server_id);
  json.key("now").value(time_text(Context::unix_now_ns()));
  json.key("disabled").value(true);
  json.key("config").begin_object();
  for (const char* name : {"max_memory", "max_storage"}) json.key(name).value(0);
  json.end_object();
  for (const char* name : {"streams", "consumers", "messages", "bytes", "total"}) {
    json.key(name).value(0);
  }
  return end_answer(json);
}

Response ipqueuesz(Context&, Query& query) {
  query.boolean("all");
  return {200, json_type, "{}"};
}

Response raftz(Context&, Query&) { return refusal(404, "No Raft nodes registered"); }

}  // namespace peal::server::monitor
