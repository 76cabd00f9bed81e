#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <variant>

#include "core/error_text.hpp"
#include "core/log_sink.hpp"

namespace peal::core {

namespace {

// For a connection to be made, and for a reader to take a line: the log's thread waits no longer,
// and the lines are lost.
constexpr int patience_ms = 1000;

constexpr const char* local_path = "/dev/log";

using Connected = std::variant<int, std::string>;

bool connect_in_time(int descriptor, const sockaddr* address, socklen_t bytes) {
  if (::connect(descriptor, address, bytes) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd done{descriptor, POLLOUT, 0};
  if (::poll(&done, 1, patience_ms) <= 0) return errno = ETIMEDOUT, false;
  int error = 0;
  socklen_t error_bytes = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
  return errno = error, error == 0;
}

Connected connect_local() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, local_path, sizeof address.sun_path - 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return error_text(errno);
  if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    return descriptor;
  }
  const int error = errno;
  ::close(descriptor);
  return error_text(error);
}

Connected connect_remote(std::string_view url) {
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
  int error = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int descriptor =
        ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    if (descriptor >= 0 && connect_in_time(descriptor, at->ai_addr, at->ai_addrlen)) {
      ::freeaddrinfo(found);
      return descriptor;
    }
    error = errno;
    if (descriptor >= 0) ::close(descriptor);
  }
  ::freeaddrinfo(found);
  return error_text(error);
}

Connected connect_to(const std::string& url) {
  return url.empty() ? connect_local() : connect_remote(url);
}

class SyslogSink : public LogSink {
 public:
  SyslogSink(std::string url, int descriptor) : url_(std::move(url)), descriptor_(descriptor) {}
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
    const bool stream = url_.starts_with("tcp://");
    if (!stream) line.remove_suffix(1);
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
    const Connected connected = connect_to(url_);
    if (const int* descriptor = std::get_if<int>(&connected)) descriptor_ = *descriptor;
    return descriptor_ >= 0;
  }

  void hang_up() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  const std::string url_;
  int descriptor_;
  Clock::time_point retry_at_{};
};

}  // namespace

OpenedSink open_syslog_sink(const std::string& url) {
  const Connected connected = connect_to(url);
  if (const auto* error = std::get_if<std::string>(&connected)) {
    return fmt::format("syslog {}: {}", url.empty() ? local_path : url, *error);
  }
  return std::make_unique<SyslogSink>(url, std::get<int>(connected));
}

}  // namespace peal::core
