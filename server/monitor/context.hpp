#pragma once
// What every endpoint may look at, and what it gives back. It knows the server's facts and the
// pictures of its shards; the HTTP around an answer it must never know.
//
// One thread, the monitor's.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "protocol/json.hpp"
#include "server/monitor/collector.hpp"
#include "server/monitor/process_use.hpp"
#include "server/monitor/top_subjects.hpp"
#include "server/server_state.hpp"

namespace peal::server::monitor {

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view plain_type = "text/plain; charset=utf-8";

struct Response {
  int status = 200;
  std::string_view content_type = json_type;
  std::string body;
};

/// A sentence for whoever asked wrongly, or for whom nothing can be done.
inline Response refusal(int status, std::string sentence) {
  return {status, plain_type, std::move(sentence)};
}
inline Response no_answer() {
  return refusal(503, "A shard did not answer within a second; the server is overloaded or stuck");
}

struct Context {
  Context(ServerState& server_state, Collector& server_collector, core::Log& server_log,
          std::string monitoring_host, uint16_t monitoring_port);

  ServerState& state;
  Collector& collector;
  core::Log& log;
  const std::string host;  // Of the monitoring port.
  const uint16_t port;     // The same.
  const int64_t start_ns;
  const int64_t start_unix_ns;
  ProcessUse process;
  TopSubjects subjects;
  std::map<std::string_view, uint64_t> asked;  // How often, by path.

  /// The newest settings are taken up: before each answer, since what it shows is of one time.
  void follow_settings();
  const Options& options() const { return settings_->options; }
  const protocol::Info& info() const { return settings_->info; }
  const Security& security() const { return *settings_->security; }
  /// nullptr: clients speak in clear.
  const std::shared_ptr<const TlsContext>& tls() const { return settings_->tls; }
  const ListenAddress& websocket_address() const { return settings_->websocket.address; }

  static int64_t unix_now_ns();
  /// A moment of the monotonic clock's.
  int64_t unix_ns(int64_t monotonic_ns) const { return start_unix_ns + (monotonic_ns - start_ns); }
  int64_t uptime_ns() const { return core::monotonic_ns() - start_ns; }
  /// When the settings were made.
  int64_t settings_unix_ns() const { return settings_unix_ns_; }

 private:
  uint64_t settings_number_ = 0;
  std::shared_ptr<const Settings> settings_;
  int64_t settings_unix_ns_;
};

/// An answer in JSON that begins as they all do; the caller ends the object.
protocol::JsonWriter begin_answer(const Context& context);
Response end_answer(protocol::JsonWriter& json);

}  // namespace peal::server::monitor
