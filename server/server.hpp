#pragma once
// Starts the shards and ends them. It holds what they share and no traffic: a message never passes
// through here. Its functions are called by one thread, which is no shard's.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/log.hpp"
#include "server/options.hpp"
#include "server/roll_call.hpp"

namespace peal::server {

class Server {
 public:
  /// Listens and serves from then on. `on_stopped` is called once, from a thread of the server's,
  /// when it has stopped by itself or by stop(). The error is one sentence with the remedy.
  static std::variant<std::unique_ptr<Server>, std::string> start(const Options& options,
                                                                  core::Log& log,
                                                                  std::function<void()> on_stopped);

  /// Stops and waits.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Where it listens, the first as INFO says it. The ports are those that were taken.
  const std::vector<ListenAddress>& addresses() const;
  /// Where WebSocket clients are listened for; port 0 where they are not.
  const ListenAddress& websocket_address() const;
  /// Where monitoring listens; port 0 when it does not.
  const ListenAddress& monitoring_address() const;
  const std::string& id() const;
  const std::string& name() const;
  unsigned shards() const;

  /// Brings other options into force, without dropping a connection that they allow. Only those
  /// may differ that config_keys.hpp calls live. The error is one sentence, and then nothing has
  /// changed.
  std::optional<std::string> reload(const Options& options);
  /// What reload() would say. Changes nothing.
  std::optional<std::string> reload_refusal(const Options& options) const;

  /// Looks who of the shards has had a turn since the last call of this function, and asks all of
  /// them for another.
  std::vector<RollCall::News> call_roll();
  /// Whether all had, at the last one.
  bool is_alive() const;

  /// Takes no newcomers, tells clients to go elsewhere, and lets them go over time; then it stops.
  void lame_duck();
  /// Lets every client go at once, after its last bytes; wait() returns when it is done.
  void stop();
  void wait();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::server
