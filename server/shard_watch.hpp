#pragma once
// A shard's side of being watched: answers what the monitoring thread asks, one bounded slice a
// turn, and remembers the connections that closed last. It knows the shard; who asks, and what for,
// it must never know.
//
// One thread at a time: whoever runs the shard.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/line_quota.hpp"
#include "server/watch.hpp"

namespace peal::server {

class Connection;
class Shard;

class ShardWatch {
 public:
  ShardWatch(Shard& shard, WatchSlot& slot);

  /// Between turns: answers if something was asked.
  void on_turn() {
    if (slot_.asked()) answer();
  }

  /// Whether somebody wants to see a connection or a subject now.
  bool has_trace() { return trace_until_ns_ != 0 && trace_goes_on(); }
  /// Whether a line about this belongs to it, and may still be written this second.
  bool traces(const Connection& connection, std::string_view subject);

  void on_closed(const Connection& connection);

 private:
  void answer();
  void answer_counters(ShardPicture& picture);
  void answer_connections(const WatchRequest& request, WatchAnswer& answer);
  void answer_closed(const WatchRequest& request, WatchAnswer& answer);
  void answer_subscriptions(const WatchRequest& request, WatchAnswer& answer);
  bool is_meant(const WatchRequest& request, const Connection& connection) const;
  bool trace_goes_on();
  bool list_subscriptions(const WatchRequest& request, Connection& connection, WatchAnswer& answer,
                          size_t& looked_at);

  Shard& shard_;
  WatchSlot& slot_;
  const size_t closed_max_;
  std::vector<ConnectionPicture> closed_;  // A ring, once it is full.
  uint64_t closed_total_ = 0;

  int64_t trace_until_ns_ = 0;  // 0: nothing is traced.
  uint64_t trace_cid_ = 0;
  std::string trace_subject_;
  LineQuota trace_lines_;
};

}  // namespace peal::server
