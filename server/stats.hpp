#pragma once
// What a shard counts. Each has one writer at a time, whoever runs the shard, and others see a copy
// that the shard made for them. It knows numbers; it must never be asked on the way of a message.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace peal::server {

/// Why a connection ended. The texts are nats-server's, since its tools show them.
enum class CloseReason : uint8_t {
  none,
  client_closed,
  read_error,
  write_error,
  refused,  // A protocol refusal, which has a text of its own.
  stale_connection,
  slow_consumer_pending,
  slow_consumer_write_deadline,
  memory_budget,
  out_of_memory,
  connections_exceeded,
  lame_duck,
  server_shutdown,
  tls_handshake,
  websocket_upgrade,
};
inline constexpr size_t close_reasons = static_cast<size_t>(CloseReason::websocket_upgrade) + 1;
std::string_view text_of(CloseReason reason);
/// The same as one word, for labels.
std::string_view name_of(CloseReason reason);

/// How long turns took: bucket i has those below 2^i microseconds, the last one all others.
class TurnHistogram {
 public:
  static constexpr size_t buckets = 18;

  void add(int64_t turn_ns, uint64_t count) {
    const auto us = static_cast<uint64_t>(turn_ns > 0 ? turn_ns : 0) / 1000;
    const auto bucket = static_cast<size_t>(std::bit_width(us));
    counts_[bucket < buckets ? bucket : buckets - 1] += count;
    sum_ns_ += static_cast<uint64_t>(turn_ns) * count;
  }
  uint64_t count(size_t bucket) const { return counts_[bucket]; }
  uint64_t sum_ns() const { return sum_ns_; }
  /// The end of a bucket; the last has none.
  static constexpr double seconds(size_t bucket) {
    return static_cast<double>(uint64_t{1} << bucket) / 1e6;
  }

 private:
  std::array<uint64_t, buckets> counts_{};
  uint64_t sum_ns_ = 0;
};

struct ShardStats {
  // Added up at the end of each read and before each send, not for each message.
  uint64_t in_messages = 0;
  uint64_t in_bytes = 0;
  uint64_t out_messages = 0;
  uint64_t out_bytes = 0;

  uint64_t connections_total = 0;
  uint64_t subscriptions_total = 0;
  uint64_t turns = 0;
  uint64_t lent_turns = 0;  // Those that another shard's thread ran.
  uint64_t slow_turns = 0;  // Of slow_turn or more.
  uint64_t holds = 0;       // Times the shard did not run for so long that clients got time anew.
  TurnHistogram turn_times;
  TurnHistogram message_times;  // Of messages sent, by the turn that handed them to the kernel.

  uint64_t messages_to_shards = 0;  // Records put into mailboxes.
  uint64_t messages_from_shards = 0;
  uint64_t parked = 0;           // Commands that waited for room in a mailbox.
  uint64_t fences_waited = 0;    // PONGs that had to wait for other shards.
  uint64_t stalls = 0;           // Times a publisher was held for a slow subscriber.
  uint64_t receive_starved = 0;  // Receives that found no buffer.
  uint64_t no_responders = 0;    // 503 answers.

  uint64_t queue_rerouted = 0;        // Queue messages sent on because the chosen member had left.
  uint64_t queue_unclaimed = 0;       // Of those, the ones that found no member anywhere.
  uint64_t side_list_dropped = 0;     // Given up because the side list was full.
  uint64_t queue_groups_dropped = 0;  // Groups beyond what one record holds.

  uint64_t accept_errors = 0;
  uint64_t tls_handshakes = 0;        // That were done; those that failed are closes.
  uint64_t tls_resumptions = 0;       // Of those: by a ticket, without a signature.
  uint64_t admissions_refused = 0;    // Who could not say who they are, or not in time.
  uint64_t publishes_denied = 0;      // By permissions.
  uint64_t subscriptions_denied = 0;  // The same.
  uint64_t slow_warnings = 0;         // Connections that half of max_pending waited for.
  std::array<uint64_t, close_reasons> closed{};
};

}  // namespace peal::server
