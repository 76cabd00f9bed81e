#pragma once
// Where a server is and who we are to it, as one writes it on a command line. It knows text; it
// must never resolve or connect.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace peal::bench {

struct ServerUrl {
  std::string host = "127.0.0.1";
  uint16_t port = 4222;
  std::string user = {};  // Without a password, it is a token.
  std::string password = {};
  bool tls = false;

  bool operator==(const ServerUrl&) const = default;
};

/// `nats://[user:pass@]host[:port]` or `tls://...`, several of them with commas between; `nats://`
/// may be left out. An IPv6 address stands in brackets; in names and passwords %40 is an @, and so
/// on. The error is one sentence.
std::variant<std::vector<ServerUrl>, std::string> parse_server_urls(std::string_view text);

}  // namespace peal::bench
