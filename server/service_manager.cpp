#include "server/service_manager.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/clock.hpp"

namespace peal::server {

namespace {

std::string taken_from_environment(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

ServiceManager::ServiceManager() : socket_path_(taken_from_environment("NOTIFY_SOCKET")) {
  const int64_t watchdog_us = number(taken_from_environment("WATCHDOG_USEC"));
  const std::string watched = taken_from_environment("WATCHDOG_PID");
  const bool ours = watched.empty() || number(watched) == ::getpid();
  if (ours && watchdog_us > 0) watchdog_interval_ = std::chrono::microseconds(watchdog_us);
}

void ServiceManager::say(std::string_view words) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.empty() || socket_path_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // A name without a file.
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_path_.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  ::sendto(descriptor, words.data(), words.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), bytes);
  ::close(descriptor);
}

void ServiceManager::say_reloading() const {
  say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", core::monotonic_ns() / core::microsecond_ns));
}

}  // namespace peal::server
