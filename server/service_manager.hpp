#pragma once
// What systemd wants to hear of a service of Type=notify: datagrams of a few words to the socket
// that the environment names (sd_notify(3)). Without one, nothing is said. It knows the environment
// and that socket, and nothing of what is served.

#include <chrono>
#include <string>
#include <string_view>

namespace peal::server {

class ServiceManager {
 public:
  /// Takes its words from the environment, and away from our children.
  ServiceManager();

  /// "READY=1", "STOPPING=1", "WATCHDOG=1".
  void say(std::string_view words) const;
  /// What has to stand before a READY=1 that ends a reload.
  void say_reloading() const;

  /// How often it wants to hear WATCHDOG=1 at least; zero: never.
  std::chrono::nanoseconds watchdog_interval() const { return watchdog_interval_; }

 private:
  std::string socket_path_;  // Empty: nobody listens.
  std::chrono::nanoseconds watchdog_interval_{};
};

}  // namespace peal::server
