// /healthz: whether the server serves, for those who restart it when it does not.

#include <initializer_list>

#include "server/monitor/endpoints.hpp"

namespace peal::server::monitor {
namespace {

/// `type` is what `details` calls the error.
Response health(int status, std::string_view word, std::string_view error, std::string_view type,
                bool details) {
  protocol::JsonWriter json;
  json.begin_object().key("status").value(word);
  if (!error.empty() && details) {
    json.key("errors").begin_array().begin_object();
    json.key("type").value(type).key("error").value(error);
    json.end_object().end_array();
  } else if (!error.empty()) {
    json.key("error").value(error);
  }
  json.end_object();
  return {status, json_type, std::string(json.text())};
}

}  // namespace

// A shard that answers has come to the end of a turn. What nats-server asks of streams besides is
// read for its mistakes alone: there are none here.
Response healthz(Context& context, Query& query) {
  for (const char* flag : {"js-enabled", "js-enabled-only", "js-server-only", "js-meta-only"}) {
    query.boolean(flag);
  }
  const bool details = query.boolean("details");
  if (!query.error().empty()) return {};
  if (query.has("consumer") && !query.has("stream")) {
    return health(400, "error", "\"stream\" must not be empty when checking consumer health",
                  "BAD_REQUEST", details);
  }
  if (query.has("stream") && !query.has("account")) {
    return health(400, "error", "\"account\" must not be empty when checking stream health",
                  "BAD_REQUEST", details);
  }
  if (context.collector.counters() == nullptr) {
    return health(503, "unavailable", no_answer().body, "CONNECTION", details);
  }
  if (context.state.phase.load(std::memory_order_relaxed) != Phase::running) {
    return health(500, "error", "the server is in lame duck mode: it takes no new clients",
                  "CONNECTION", details);
  }
  return health(200, "ok", "", "", details);
}

}  // namespace peal::server::monitor
