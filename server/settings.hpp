#pragma once
// What a reload replaces, as one immutable value, and the board from which shards take the newest.
// A shard looks at the board's number once a turn, and takes the value, under a lock, only when the
// number has changed; an old value goes when the last shard has let go of it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "protocol/info.hpp"
#include "server/options.hpp"
#include "server/security.hpp"
#include "server/tls_context.hpp"
#include "server/websocket_upgrade.hpp"

namespace peal::server {

/// What is different for who comes by WebSocket.
struct WebSocketSettings {
  ListenAddress address = {"", 0};  // As INFO says it.
  std::shared_ptr<const Security> security;
  std::shared_ptr<const TlsContext> tls;
  std::shared_ptr<const UpgradeRules> rules;
};

struct Settings {
  Options options;
  protocol::Info info = {};  // What every client is told; each gets its own id and address besides.
  /// Of each shard, so many connections are to go when it takes these settings up, because fewer
  /// are allowed. Empty: none.
  std::vector<uint32_t> surplus_connections = {};
  std::shared_ptr<const Security> security = Security::make({}, nullptr);
  std::shared_ptr<const TlsContext> tls = {};  // nullptr: clients speak in clear.
  WebSocketSettings websocket = {};
};

class SettingsBoard {
 public:
  explicit SettingsBoard(Settings first)
      : settings_(std::make_shared<const Settings>(std::move(first))) {}

  /// From any thread. Shards that sleep have to be woken.
  void publish(Settings settings) {
    auto fresh = std::make_shared<const Settings>(std::move(settings));
    const std::lock_guard lock(mutex_);
    settings_.swap(fresh);
    number_.store(number() + 1, std::memory_order_release);
  }

  /// The newest settings. `number` becomes theirs.
  std::shared_ptr<const Settings> take(uint64_t& number) const {
    const std::lock_guard lock(mutex_);
    number = this->number();
    return settings_;
  }

  /// Grows with each publish().
  uint64_t number() const { return number_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Settings> settings_;
  std::atomic<uint64_t> number_{0};
};

}  // namespace peal::server
