#include "core/socket.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "core/error_text.hpp"

namespace peal::core {
namespace {

std::string explain(const std::string& host, uint16_t port, ListenNames names, int error) {
  switch (error) {
    case EADDRINUSE:
      return fmt::format(
          "port {} on {} is in use: stop the server that has it, or choose another with {}", port,
          host, names.port);
    case EADDRNOTAVAIL:
      return fmt::format("{} is no address of this machine: choose another with {}", host,
                         names.host);
    case EACCES:
      return fmt::format(
          "port {} may not be used without privileges: choose one above 1023 with {}", port,
          names.port);
    default:
      return fmt::format("cannot listen on {}:{}: {}", host, port, error_text(error));
  }
}

uint16_t port_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

bool bind_in_time(int descriptor, const addrinfo& address) {
  const auto give_up = std::chrono::steady_clock::now() + taken_patience;
  while (bind(descriptor, address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EADDRINUSE || std::chrono::steady_clock::now() >= give_up) return false;
    std::this_thread::sleep_for(taken_pause);
  }
  return true;
}

}  // namespace

std::variant<ListeningSocket, std::string> listen_tcp(const std::string& host, uint16_t port,
                                                      ListenNames names) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) {
    return fmt::format("{} is no host name or address: {}", host, gai_strerror(failure));
  }
  int error = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int descriptor = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (descriptor < 0) {
      error = errno;
      continue;
    }
    // A server that was restarted finds its old connections still waiting out their time.
    const int on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind_in_time(descriptor, *at) && ::listen(descriptor, listen_backlog) == 0) {
      freeaddrinfo(found);
      return ListeningSocket{descriptor, port_of(descriptor)};
    }
    error = errno;
    ::close(descriptor);
  }
  freeaddrinfo(found);
  return explain(host, port, names, error);
}

}  // namespace peal::core
