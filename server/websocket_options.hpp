#pragma once
// The websocket block, as the operator wrote it. A value; what upgrade requests are held against is
// made of it in websocket_upgrade.hpp.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "server/security_options.hpp"

namespace peal::server {

struct Header {
  std::string name, value;
};

struct WebSocketOptions {
  std::string host = "0.0.0.0";
  int port = 0;           // 0: nobody listens; -1: any free port.
  std::string advertise;  // Shown by monitoring; nobody asks for it without a cluster.
  bool no_tls = false;    // Only then may there be none.
  std::optional<TlsOptions> tls;
  bool same_origin = false;
  std::vector<std::string> allowed_origins;
  bool compression = false;
  std::vector<Header> headers;  // Of the answer to an upgrade.
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);  // With that of TLS.

  // Instead of what clients elsewhere have to show.
  std::string user, password, token, no_auth_user;
  std::optional<std::chrono::nanoseconds> auth_timeout;

  bool enabled() const { return port != 0; }
  bool overrides_authorization() const {
    return !user.empty() || !token.empty() || !no_auth_user.empty();
  }
};

/// Who may come in by WebSocket: `all`, with what the block says instead.
SecurityOptions security_options_of(const WebSocketOptions& options, const SecurityOptions& all);

/// What no single key can know of itself. One sentence, or nothing.
std::optional<std::string> contradiction_in(const WebSocketOptions& options,
                                            const SecurityOptions& all);

}  // namespace peal::server
