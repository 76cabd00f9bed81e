#include "server/open_doors.hpp"

#include <fmt/format.h>

#include "server/websocket_options.hpp"

namespace peal::server {
namespace {

/// How a stranger gets in; empty where he does not. A certificate that he must show is asked for.
std::string way_in(const SecurityOptions& security) {
  const bool all_speak_tls = security.tls && !security.allow_non_tls;
  if (all_speak_tls && security.tls->asks_for_certificate()) return {};
  if (!security.auth_required()) {
    return "is open to whoever reaches it: no user, token or key is asked for";
  }
  if (security.no_auth_user.empty()) return {};
  return fmt::format("lets in whoever reaches it as \"{}\", who is no_auth_user",
                     security.no_auth_user);
}

}  // namespace

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::vector<std::string> open_doors(const Options& options,
                                    const std::vector<ListenAddress>& addresses,
                                    const ListenAddress& websocket) {
  std::vector<std::string> doors;
  const auto look_at = [&](std::string_view kind, const ListenAddress& at, const std::string& way) {
    if (way.empty() || at.port == 0 || is_loopback(at.host)) return;
    doors.push_back(fmt::format("{}{}:{} {}", kind, at.host, at.port, way));
  };
  for (const ListenAddress& at : addresses) look_at("", at, way_in(options.security));
  look_at("websocket: ", websocket,
          way_in(security_options_of(options.websocket, options.security)));
  return doors;
}

}  // namespace peal::server
