#include "server/listening.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/socket.hpp"

namespace peal::server {

namespace {

std::optional<std::string> open_listeners_into(const Options& options, Listening& out) {
  std::vector<ListenAddress> wanted{{options.host, options.port}};
  wanted.insert(wanted.end(), options.listen_also.begin(), options.listen_also.end());
  for (const ListenAddress& address : wanted) {
    const auto port = static_cast<uint16_t>(std::max(address.port, 0));
    auto made = core::listen_tcp(address.host, port, {.host = "--addr", .port = "--port"});
    if (auto* error = std::get_if<std::string>(&made)) return std::move(*error);
    const auto& socket = std::get<core::ListeningSocket>(made);
    out.descriptors.push_back(socket.descriptor);
    out.addresses.push_back({address.host, socket.port});
  }
  if (options.websocket.enabled()) {
    const WebSocketOptions& chosen = options.websocket;
    auto made =
        core::listen_tcp(chosen.host, static_cast<uint16_t>(std::max(chosen.port, 0)),
                         {.host = "the key websocket.host", .port = "the key websocket.port"});
    if (auto* error = std::get_if<std::string>(&made)) return "websocket: " + *error;
    const auto& socket = std::get<core::ListeningSocket>(made);
    out.descriptors.push_back(socket.descriptor);
    out.websocket = socket.descriptor;
    out.websocket_address = {chosen.host, socket.port};
  }
  if (options.listen_unix.empty()) return {};
  auto made = core::listen_unix({.path = options.listen_unix,
                                 .mode = options.listen_unix_mode,
                                 .owner = options.listen_unix_owner});
  if (auto* error = std::get_if<std::string>(&made)) return std::move(*error);
  auto& listener = std::get<core::UnixListener>(made);
  out.descriptors.push_back(listener.descriptor);
  out.unix_socket = std::move(listener.file);
  return {};
}

}  // namespace

std::variant<Listening, std::string> open_listeners(const Options& options) {
  Listening listening;
  auto error = open_listeners_into(options, listening);
  if (!error) return listening;
  for (const int descriptor : listening.descriptors) ::close(descriptor);
  return *std::move(error);
}

}  // namespace peal::server
