// /healthz: whether the server serves, for those who restart it when it does not.

#include <fmt/format.h>

#include <initializer_list>

#include "server/monitor/endpoints.hpp"

namespace peal::server::monitor {
namespace {

Response health(int status, std::string_view word, std::string_view error) {
  protocol::JsonWriter json;
  json.begin_object().key("status").value(word);
  if (!error.empty()) json.key("error").value(error);
  json.end_object();
  return {status, json_type, std::string(json.text())};
}

}  // namespace

// A shard that answers has come to the end of a turn. What nats-server asks of streams besides is
// read for its mistakes alone: there are none here.
Response healthz(Context& context, Query& query) {
  for (const char* flag :
       {"js-enabled", "js-enabled-only", "js-server-only", "js-meta-only", "details"}) {
    query.boolean(flag);
  }
  if (!query.error().empty()) return {};
  if (query.has("consumer") && !query.has("stream")) {
    return health(400, "error", "\"stream\" must not be empty when checking consumer health");
  }
  if (query.has("stream") && !query.has("account")) {
    return health(400, "error", "\"account\" must not be empty when checking stream health");
  }
  if (context.collector.counters() == nullptr) {
    return health(503, "unavailable", no_answer().body);
  }
  return health(200, "ok", "");
}

}  // namespace peal::server::monitor
