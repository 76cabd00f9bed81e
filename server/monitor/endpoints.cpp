#include "server/monitor/endpoints.hpp"

namespace peal::server::monitor {
namespace {

struct Endpoint {
  std::string_view path;
  Response (*answer)(Context&, Query&);
};

constexpr Endpoint endpoints[] = {
    {"/varz", varz},         {"/connz", connz},
    {"/subsz", subsz},       {"/subscriptionsz", subsz},
    {"/healthz", healthz},   {"/accountz", accountz},
    {"/accstatz", accstatz}, {"/routez", routez},
    {"/leafz", leafz},       {"/gatewayz", gatewayz},
    {"/jsz", jsz},           {"/ipqueuesz", ipqueuesz},
    {"/raftz", raftz},       {"/metrics", metrics},
    {"/pealz", pealz},       {"/", page},
};

}  // namespace

Response answer(Context& context, std::string_view path, Query& query) {
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.path != path) continue;
    context.asked[endpoint.path]++;
    context.follow_settings();
    Response response = endpoint.answer(context, query);
    return query.error().empty() ? std::move(response) : refusal(400, query.error());
  }
  return refusal(404, "404 page not found\n");
}

}  // namespace peal::server::monitor
