#pragma once
// How a shard is looked at from outside: one question at a time for each shard, asked by the
// monitoring thread and answered by the shard between its turns, in slices that are bounded. It
// knows numbers and names; it must never know HTTP or JSON, and a message passes without knowing
// it.
//
// The answer's memory is prepared by who asks and filled by who answers: whoever may touch it is
// said by `asked`. A shard that nobody watches has no slot, and pays one test a turn.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ledger.hpp"
#include "core/mailbox.hpp"
#include "core/reactor.hpp"
#include "server/ids.hpp"
#include "server/match_cache.hpp"
#include "server/stats.hpp"
#include "server/tls_session.hpp"

namespace peal::server {

/// One connection as it was at a moment. Times are of the monotonic clock.
struct ConnectionPicture {
  uint64_t cid = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint16_t port = 0;
  bool open = true;
  bool websocket = false;
  bool slow = false;  // More than half of max_pending waits for it.
  CloseReason close_reason = CloseReason::none;
  uint32_t subscriptions = 0;
  uint32_t stalls = 0;
  int64_t start_ns = 0;
  int64_t active_ns = 0;  // Its last message or change of a subscription.
  int64_t stop_ns = 0;
  int64_t rtt_ns = 0;
  uint64_t pending_bytes = 0;
  uint64_t in_messages = 0;
  uint64_t in_bytes = 0;
  uint64_t out_messages = 0;
  uint64_t out_bytes = 0;
  std::string host, name, lang, version;
  std::string account, user;
  std::string reason;                        // Of its end.
  std::string last_subject;                  // That it published to.
  std::string_view tls_version, tls_cipher;  // Of what lasts; empty: it speaks in clear.
  bool tls_first = false;
  std::shared_ptr<const std::vector<CertificatePicture>> certificates;  // That it showed.
};

struct SubscriptionPicture {
  AccountId account = global_account;
  uint64_t cid = 0;
  uint64_t messages = 0;
  uint64_t messages_max = 0;
  std::string subject, queue, sid;
};

/// What a shard counts, all of one moment.
struct ShardPicture {
  ShardStats stats;
  core::ReactorStats reactor;
  CacheStats cache{};
  uint64_t connections = 0;
  uint64_t subscriptions = 0;
  uint64_t receive_buffers_free = 0;
  uint64_t mailbox_bytes = 0;  // What waits in the mailboxes to this shard.
  uint64_t mailbox_capacity_bytes = 0;
  int64_t busy_ns = 0;  // Processor time of its thread, since it began.
  std::array<int64_t, core::purposes> memory_bytes{};
};

enum class Question : uint8_t {
  counters,
  connections,         // Of this shard, by slot.
  closed_connections,  // Of this shard, the latest first.
  subscriptions,       // Of all its connections, or of one.
  trace,               // No question: the connection `from.at`, or a subject, is to be logged.
};

/// Where a list goes on. A list that takes many slices is a picture, not a transaction: what comes
/// and goes meanwhile may be in it or not.
struct WatchCursor {
  uint64_t at = 0;  // Slot, or how many closed ones were seen.
  uint32_t generation = 0;
  std::string sid;  // The next subscription of the connection in slot `at`; empty: its first.
  bool ended = false;
};

struct WatchRequest {
  Question question = Question::counters;
  WatchCursor from;
  bool one_connection = false;  // Only the subscriptions of the connection that `from` names.
  std::string subject;  // Only subscriptions that get what is published to it; a filter of a trace.
  std::string account;  // Only subscriptions of this one; empty: of all.
  bool counted_only = false;  // How many subscriptions there are is all that is asked for.
  int64_t trace_ns = 0;       // How long.
};

struct WatchAnswer {
  ShardPicture counters;
  std::vector<ConnectionPicture> connections;
  std::vector<SubscriptionPicture> subscriptions;
  size_t count = 0;                 // How many of those are filled.
  uint64_t subscriptions_seen = 0;  // That were asked for, whether listed or only counted.
  WatchCursor next;
  int64_t taken_ns = 0;  // What the shard spent on it.
};

class WatchSlot {
 public:
  /// Of a slice: together about as much as a hundred microseconds of a shard.
  static constexpr size_t connections_per_slice = 256;
  static constexpr size_t subscriptions_per_slice = 512;
  static constexpr size_t slots_per_slice = 1024;
  static constexpr size_t subscriptions_looked_at_per_slice = 2048;

  WatchSlot();

  // ---- By who asks.

  /// False while the last question is still open.
  bool free() const { return !asked_.load(std::memory_order_acquire); }
  /// To be filled while the slot is free; ask() gives it to the shard.
  WatchRequest& request() { return request_; }
  void ask() { asked_.store(true, std::memory_order_release); }
  /// REQUIRES that the slot is free.
  const WatchAnswer& answer() const { return answer_; }
  /// Told when an answer is there: an eventfd, or -1.
  void set_bell(int descriptor) { bell_ = descriptor; }

  // ---- By the shard.

  bool asked() const { return asked_.load(std::memory_order_acquire); }
  const WatchRequest& question() const { return request_; }
  WatchAnswer& reply() { return answer_; }
  void answered();

 private:
  alignas(core::cache_line_bytes) std::atomic<bool> asked_{false};
  int bell_ = -1;
  WatchRequest request_;
  WatchAnswer answer_;
};

}  // namespace peal::server
