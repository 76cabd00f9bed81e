// What a shard hears from the main thread besides the phase: new settings, and whether it still
// turns. The turn in which it listens is in shard.cpp.

#include <algorithm>
#include <functional>

#include "server/shard.hpp"

namespace peal::server {

// Somebody wants to know whether we still turn.
void Shard::answer_roll_call() {
  const uint64_t call = state_.roll_call.load(std::memory_order_relaxed);
  if (call == roll_call_) return;
  roll_call_ = call;
  state_.shard_words[id()].answered.store(call, std::memory_order_relaxed);
}

// At the beginning of a turn, so that one turn has one set of limits. What connections remember of
// the old ones they are told to forget.
void Shard::follow_settings() {
  if (state_.settings.number() == settings_number_) return;
  const std::shared_ptr<const Settings> before = settings_;
  settings_ = state_.settings.take(settings_number_);
  const bool info_changed =
      protocol::info_line(before->info) != protocol::info_line(settings().info);
  for (const auto& connection : connections_) {
    if (connection && connection->open()) connection->on_new_settings(info_changed);
  }
  interest_.forget_plans();
  if (!settings().surplus_connections.empty()) close_newest(settings().surplus_connections[id()]);
}

void Shard::close_newest(uint32_t count) {
  std::vector<Connection*> open;
  for (const auto& connection : connections_) {
    if (connection && connection->open() && !connection->is_surplus()) {
      open.push_back(connection.get());
    }
  }
  std::ranges::sort(open, std::greater<>(), &Connection::cid);
  open.resize(std::min<size_t>(open.size(), count));
  for (Connection* connection : open) connection->refuse(protocol::Refusal::connections_exceeded);
}

}  // namespace peal::server
