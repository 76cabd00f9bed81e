#include "server/websocket_options.hpp"

#include "server/websocket_upgrade.hpp"

namespace peal::server {

SecurityOptions security_options_of(const WebSocketOptions& options, const SecurityOptions& all) {
  SecurityOptions own = all;
  own.connection_type = ConnectionType::websocket;
  own.certificates_mapped_elsewhere = all.tls && all.tls->verify_and_map;
  own.tls = options.tls;
  own.allow_non_tls = false;
  if (options.auth_timeout) own.auth_timeout = options.auth_timeout;
  if (!options.overrides_authorization()) return own;
  own.no_auth_user = options.no_auth_user;
  // As in nats-server: a token goes before a user.
  own.token = options.token;
  own.user = options.token.empty() ? options.user : "";
  own.password = options.token.empty() ? options.password : "";
  return own;
}

std::optional<std::string> contradiction_in(const WebSocketOptions& options,
                                            const SecurityOptions& all) {
  if (!options.enabled()) return {};
  if (!options.tls && !options.no_tls) {
    return "websocket needs a tls block, or no_tls: true where a proxy in front speaks TLS";
  }
  if (options.tls && options.no_tls) {
    return "websocket: tls and no_tls cannot both be there; leave out one";
  }
  for (const std::string& origin : options.allowed_origins) {
    if (!read_origin(origin)) {
      return "websocket: allowed_origins: \"" + origin +
             "\" is no origin; write http://HOST[:PORT] or https://HOST[:PORT]";
    }
  }
  bool has_users = !all.users.empty();
  for (const AccountOptions& account : all.accounts) has_users |= !account.users.empty();
  if (has_users && (!options.user.empty() || !options.token.empty())) {
    return "websocket: a user or token of its own and users elsewhere cannot both be there "
           "(authorization, accounts); leave out one";
  }
  if (options.user.empty() && !options.password.empty()) {
    return "websocket: a password without a user; name the user";
  }
  auto error = contradiction_in(security_options_of(options, all));
  if (error) return "websocket: " + *error;
  return {};
}

}  // namespace peal::server
