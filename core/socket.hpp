#pragma once
// The listening socket. It knows addresses and their text; it must never know who connects.

#include <cstdint>
#include <string>
#include <variant>

namespace peal::core {

struct ListeningSocket {
  int descriptor;
  uint16_t port;  // The one that was given, where any was asked for.
};

/// Binds to a host name or address; port 0 is any free one. The error is one sentence with the
/// remedy.
std::variant<ListeningSocket, std::string> listen_tcp(const std::string& host, uint16_t port);

}  // namespace peal::core
