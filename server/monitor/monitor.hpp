#pragma once
// The monitoring thread: serves HTTP, asks the shards, writes a line of totals from time to time.
// It knows how these come together; a message it never meets, and no shard ever waits for it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/log.hpp"
#include "server/server_state.hpp"

namespace peal::server::monitor {

/// Where monitoring listens, or -1 as descriptor when it does not.
struct MonitorSocket {
  int descriptor = -1;
  std::string host;
  uint16_t port = 0;
};

class Monitor {
 public:
  /// Starts the thread. `wake` brings a shard to a turn, and may be called from any thread. Owns
  /// the socket from now on. Everything given must outlive it.
  Monitor(ServerState& state, core::Log& log, MonitorSocket socket,
          std::function<void(ShardId)> wake);
  /// Ends the thread and closes what it served.
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::server::monitor
