#include "server/reload_preview.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/error_text.hpp"

namespace peal::server {

namespace {

constexpr size_t answer_bytes_max = 64 * 1024;
constexpr int patience_ms = 5000;

/// A name without a file, which goes with the socket.
sockaddr_un address_of(pid_t asker, socklen_t& bytes) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("peal-reload-{}", asker);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

class DatagramSocket {
 public:
  DatagramSocket() : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~DatagramSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

}  // namespace

std::optional<std::string> ask_preview(pid_t server, std::string& error) {
  const DatagramSocket socket;
  socklen_t bytes = 0;
  const sockaddr_un address = address_of(::getpid(), bytes);
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  sigval mark{};
  mark.sival_int = preview_mark;
  if (::bind(socket.descriptor(), name, bytes) != 0 || ::sigqueue(server, SIGHUP, mark) != 0) {
    error = fmt::format("process {}: {}", server, core::error_text(errno));
    return {};
  }
  pollfd answer{socket.descriptor(), POLLIN, 0};
  std::string text(answer_bytes_max, '\0');
  const ssize_t received = ::poll(&answer, 1, patience_ms) > 0
                               ? ::recv(socket.descriptor(), text.data(), text.size(), 0)
                               : -1;
  if (received < 0) {
    error = fmt::format("process {}: has not answered within {} s", server, patience_ms / 1000);
    return {};
  }
  text.resize(static_cast<size_t>(received));
  return text;
}

void answer_preview(pid_t asker, std::string_view text) {
  const DatagramSocket socket;
  socklen_t bytes = 0;
  const sockaddr_un address = address_of(asker, bytes);
  text = text.substr(0, answer_bytes_max);
  ::sendto(socket.descriptor(), text.data(), text.size(), MSG_DONTWAIT,
           reinterpret_cast<const sockaddr*>(&address), bytes);
}

}  // namespace peal::server
