#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <variant>
#include <vector>

#include "core/error_text.hpp"
#include "core/log_sink.hpp"

namespace peal::core {

namespace {

// For a connection to be made, and for a reader to take a line: the log's thread waits no longer,
// and the lines are lost.
constexpr int patience_ms = 1000;

constexpr const char* local_path = "/dev/log";

/// Of a syslog, as the kernel wants it.
struct Address {
  int socket_type;  // SOCK_DGRAM or SOCK_STREAM.
  socklen_t bytes;
  sockaddr_storage name;
};

using Addresses = std::variant<std::vector<Address>, std::string>;

Address address_of(int socket_type, const void* name, socklen_t bytes) {
  Address address{socket_type, bytes, {}};
  std::memcpy(&address.name, name, bytes);
  return address;
}

bool connect_in_time(int descriptor, const Address& to) {
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&to.name), to.bytes) == 0) {
    return true;
  }
  if (errno != EINPROGRESS) return false;
  pollfd done{descriptor, POLLOUT, 0};
  if (::poll(&done, 1, patience_ms) <= 0) return errno = ETIMEDOUT, false;
  int error = 0;
  socklen_t error_bytes = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
  return errno = error, error == 0;
}

/// A descriptor, or -1 with its errno.
int connect_to(const Address& to) {
  const int descriptor =
      ::socket(to.name.ss_family, to.socket_type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0 || connect_in_time(descriptor, to)) return descriptor;
  const int error = errno;
  ::close(descriptor);
  return errno = error, -1;
}

Addresses local_address() {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, local_path, sizeof name.sun_path - 1);
  return std::vector{address_of(SOCK_DGRAM, &name, sizeof name)};
}

Addresses look_up(std::string_view url) {
  const bool stream = url.starts_with("tcp://");
  url.remove_prefix(std::string_view("tcp://").size());
  const size_t colon = url.rfind(':');
  std::string host(url.substr(0, colon));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = stream ? SOCK_STREAM : SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string port(url.substr(colon + 1));
  const int failure = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failure != 0) return std::string(::gai_strerror(failure));
  std::vector<Address> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    addresses.push_back(address_of(hints.ai_socktype, at->ai_addr, at->ai_addrlen));
  }
  ::freeaddrinfo(found);
  return addresses;
}

class SyslogSink : public LogSink {
 public:
  /// One that was connected to at `used` of its addresses.
  SyslogSink(std::vector<Address> addresses, size_t used, int descriptor)
      : addresses_(std::move(addresses)), used_(used), descriptor_(descriptor) {}
  ~SyslogSink() override { hang_up(); }

  bool write(std::string_view lines) override {
    bool all_sent = true;
    while (!lines.empty()) {
      const size_t end = lines.find('\n') + 1;
      all_sent = send(lines.substr(0, end)) && all_sent;
      lines.remove_prefix(end);
    }
    return all_sent;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // A datagram for each line; on a stream the line feed ends it.
  bool send(std::string_view line) {
    if (addresses_[used_].socket_type == SOCK_DGRAM) line.remove_suffix(1);
    for (int attempt = 0; attempt < 2; attempt++) {
      if (descriptor_ < 0 && !connect_again()) return false;
      if (send_all(line)) return true;
      hang_up();  // The other side was started anew, perhaps.
    }
    return false;
  }

  bool send_all(std::string_view rest) const {
    while (!rest.empty()) {
      const ssize_t bytes = ::send(descriptor_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (bytes >= 0) {
        rest.remove_prefix(static_cast<size_t>(bytes));
      } else if (errno == EAGAIN) {
        pollfd room{descriptor_, POLLOUT, 0};
        if (::poll(&room, 1, patience_ms) <= 0) return false;
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  bool connect_again() {
    if (Clock::now() < retry_at_) return false;
    retry_at_ = Clock::now() + std::chrono::seconds(1);
    descriptor_ = connect_to(addresses_[used_]);
    if (descriptor_ < 0) used_ = (used_ + 1) % addresses_.size();  // The next time another one.
    return descriptor_ >= 0;
  }

  void hang_up() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  const std::vector<Address> addresses_;
  size_t used_;
  int descriptor_;
  Clock::time_point retry_at_{};
};

}  // namespace

OpenedSink open_syslog_sink(const std::string& url) {
  const std::string_view place = url.empty() ? local_path : std::string_view(url);
  const Addresses addresses = url.empty() ? local_address() : look_up(url);
  if (const auto* error = std::get_if<std::string>(&addresses)) {
    return fmt::format("syslog {}: {}", place, *error);
  }
  const auto& found = std::get<0>(addresses);
  for (size_t i = 0; i < found.size(); i++) {
    const int descriptor = connect_to(found[i]);
    if (descriptor >= 0) return std::make_unique<SyslogSink>(found, i, descriptor);
  }
  return fmt::format("syslog {}: {}", place, error_text(errno));
}

}  // namespace peal::core
