#include "server/monitor/context.hpp"

#include <chrono>
#include <utility>

#include "server/monitor/go_text.hpp"

namespace peal::server::monitor {

Context::Context(ServerState& server_state, Collector& server_collector, core::Log& server_log,
                 std::string monitoring_host, uint16_t monitoring_port)
    : state(server_state),
      collector(server_collector),
      log(server_log),
      host(std::move(monitoring_host)),
      port(monitoring_port),
      start_ns(core::monotonic_ns()),
      start_unix_ns(unix_now_ns()),
      settings_(state.settings.take(settings_number_)),
      settings_unix_ns_(start_unix_ns) {}

void Context::follow_settings() {
  if (state.settings.number() == settings_number_) return;
  settings_ = state.settings.take(settings_number_);
  settings_unix_ns_ = unix_now_ns();
}

int64_t Context::unix_now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

protocol::JsonWriter begin_answer(const Context& context) {
  protocol::JsonWriter json(protocol::JsonLayout::indented);
  json.begin_object();
  json.key("server_id").value(context.info().server_id);
  json.key("now").value(time_text(Context::unix_now_ns()));
  return json;
}

Response end_answer(protocol::JsonWriter& json) {
  json.end_object();
  return {200, json_type, std::string(json.text())};
}

}  // namespace peal::server::monitor
