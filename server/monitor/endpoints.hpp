#pragma once
// What is served under which path. Each endpoint is a function from a query to an answer, with the
// field names, types and refusals of nats-server 2.15 where that has the like. It knows paths; it
// must never know who asks.

#include <string_view>

#include "server/monitor/context.hpp"
#include "server/monitor/query.hpp"

namespace peal::server::monitor {

Response varz(Context& context, Query& query);
Response connz(Context& context, Query& query);
Response subsz(Context& context, Query& query);
Response healthz(Context& context, Query& query);
Response accountz(Context& context, Query& query);
Response accstatz(Context& context, Query& query);
Response routez(Context& context, Query& query);
Response leafz(Context& context, Query& query);
Response gatewayz(Context& context, Query& query);
Response jsz(Context& context, Query& query);
Response ipqueuesz(Context& context, Query& query);
Response raftz(Context& context, Query& query);
Response metrics(Context& context, Query& query);
Response pealz(Context& context, Query& query);
Response page(Context& context, Query& query);
/// To be given only to who may change something.
Response tracez(Context& context, Query& query);

/// `path` is what follows the base path: "/varz".
Response answer(Context& context, std::string_view path, Query& query);

}  // namespace peal::server::monitor
