#pragma once
// The sockets that a server listens on, opened as its options say. It knows addresses; who takes
// newcomers from them is listener's to know.

#include <string>
#include <variant>
#include <vector>

#include "core/unix_socket.hpp"
#include "server/options.hpp"

namespace peal::server {

/// The descriptors are the owner's to close. First those of `addresses`, in their order.
struct Listening {
  std::vector<ListenAddress> addresses;
  std::vector<int> descriptors;
  core::OwnFile unix_socket;
  int websocket = -1;  // Among the descriptors; -1 where nobody listens for it.
  ListenAddress websocket_address{"", 0};
};

/// All of them, or none. The ports are those that were taken. The error is one sentence with the
/// remedy.
std::variant<Listening, std::string> open_listeners(const Options& options);

}  // namespace peal::server
