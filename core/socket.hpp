#pragma once
// The listening socket. It knows addresses and their text; it must never know who connects.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace peal::core {

struct ListeningSocket {
  int descriptor;
  uint16_t port;  // The one that was given, where any was asked for.
};

/// Newcomers that wait to be accepted. The kernel takes the least of this and net.core.somaxconn.
inline constexpr int listen_backlog = 4096;

/// The kernel lets go of a killed server's ring, and with it of its listening sockets, a moment
/// after the process has gone: one that is in use is asked for again for so long.
inline constexpr auto taken_patience = std::chrono::seconds(1);
inline constexpr auto taken_pause = std::chrono::milliseconds(10);

/// What the operator calls the two parts of an address, so that an error can name the remedy.
struct ListenNames {
  std::string_view host, port;
};

/// Binds to a host name or address; port 0 is any free one. The error is one sentence with the
/// remedy.
std::variant<ListeningSocket, std::string> listen_tcp(const std::string& host, uint16_t port,
                                                      ListenNames names);

}  // namespace peal::core
