#pragma once
// One core's server: its reactor, its connections, its part of the trie, and the turn in which they
// move. It knows the order of a turn and who owns what; what a command means is connection's and
// where a message goes is router's to know.
//
// A turn, in order, each step feeding only those after it:
//   wait, sends done, other shards' records, other completions, timers, those who waited (fences,
//   room, stalls, buffers), the closed, interest and records to other shards, sends.
//
// While its thread sleeps, another shard that has a little for it may run a turn in its place: a
// lent turn, in which nothing but sends can have completed.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/chunk_pool.hpp"
#include "core/flight_recorder.hpp"
#include "core/log.hpp"
#include "core/mesh.hpp"
#include "core/random.hpp"
#include "core/reactor.hpp"
#include "core/timers.hpp"
#include "server/connection.hpp"
#include "server/fences.hpp"
#include "server/interest.hpp"
#include "server/line_quota.hpp"
#include "server/listener.hpp"
#include "server/router.hpp"
#include "server/server_state.hpp"
#include "server/shard_link.hpp"
#include "server/shard_watch.hpp"
#include "server/stats.hpp"
#include "server/turn_budget.hpp"
#include "server/turn_watch.hpp"
#include "server/verdict_cache.hpp"

namespace peal::server {

class Shard final : public core::Lendable {
 public:
  /// Names a connection without pointing to it.
  struct Handle {
    uint32_t slot;
    uint32_t generation;
  };

  /// On the thread that will run it. `seed` is chance for everything that chooses.
  Shard(ShardId id, ServerState& state, core::Mesh& mesh, core::Reactor& reactor, core::Log& log,
        uint64_t seed);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// This shard takes newcomers from a listening socket, for all of them.
  void listen(int descriptor, Door door = Door::plain);

  /// One turn. False when the server is stopping and nothing is left to do.
  bool tick();

  /// One turn by a fellow's thread. Only small things are done so: a thread of its own is worth its
  /// waking when there is much to do.
  bool run_lent_turn() override;

  /// Until when the next turn may sleep; in the past when it may not.
  int64_t next_deadline_ns() const { return deadline_ns_; }

  // ---- For connections and the router.
  ServerState& state() { return state_; }
  const Settings& settings() const { return *settings_; }
  const Options& options() const { return settings_->options; }
  /// Who may come in, as of now.
  const Security& security() const { return *settings_->security; }
  /// What new connections speak TLS by; nullptr when they do not.
  const std::shared_ptr<const TlsContext>& tls() const { return settings_->tls; }
  /// For bytes that were just decrypted, until the next who decrypts.
  std::span<char> plain_memory();
  /// The same for what was just inflated; and one for each who inflates or deflates in a turn.
  std::span<char> inflate_memory();
  std::unique_ptr<Inflater> take_inflater();
  void give_back(std::unique_ptr<Inflater> inflater) { inflater_ = std::move(inflater); }
  Deflater& deflater();
  core::Reactor& reactor() { return reactor_; }
  core::ChunkPool& pool() { return pool_; }
  core::Log& log() { return log_; }
  core::Random& random() { return random_; }
  core::TimerWheel& timers() { return timers_; }
  Interest& interest() { return interest_; }
  Router& router() { return router_; }
  ShardLink& link() { return link_; }
  Fences& fences() { return fences_; }
  ShardStats& stats() { return stats_; }
  int64_t now_ns() const { return reactor_.now_ns(); }
  /// Whether every command and line is to be logged; the same for a whole turn.
  bool tracing() const { return tracing_; }
  /// Whether it is of this connection, and of a message on this subject, if it is one; for then to
  /// be logged.
  bool traces(const Connection& connection, std::string_view subject) {
    return tracing_ && (tracing_all_ || watch_->traces(connection, subject));
  }

  /// nullptr when it has gone.
  Connection* find(Handle handle) const;
  /// Whoever is in this slot, if anybody is; slots are counted from 0 to slots().
  Connection* at(size_t slot) { return connections_[slot].get(); }
  size_t slots() const { return connections_.size(); }
  /// The connection of a subscription, which is there as long as the subscription is.
  Connection& owner(const Subscription& subscription) { return *connections_[subscription.owner]; }
  /// The same where it may be given what `publisher` says, if that is a connection of this shard;
  /// else nullptr.
  Connection* receiver_of(const Subscription& subscription, const Connection* publisher) {
    if (!subscription.in_force) return nullptr;
    Connection& receiver = owner(subscription);
    return receiver.open() && (&receiver != publisher || receiver.echo()) ? &receiver : nullptr;
  }
  /// More than half of what may wait for it does.
  bool is_slow(const Connection& connection) const {
    return connection.outbox().pending_bytes() > options().limits.pending_bytes_max / 2;
  }

  void flush_later(Connection& connection);
  void forget_later(Connection& connection);
  void recv_later(Connection& connection);
  void resume_at(Connection& connection, int64_t due_ns);

  VerdictCache& verdicts() { return verdicts_; }
  TurnBudget& budget() { return budget_; }
  /// Until everyone else who waits for a share of the work has had one.
  void wait_for_share(Connection& connection);
  /// The same, in the next turn.
  void wait_for_turn(Connection& connection) { next_turn_.push_back(handle(connection)); }
  /// Until other shards have been told what it changed about its subscriptions.
  void wait_to_tell(Connection& connection);
  /// Until `target` has room for a record of this size.
  void park(Connection& connection, ShardId target, size_t record_bytes);

  /// More is held for clients than all of them may cost; until that is better nobody may add to it
  /// fast.
  bool over_budget() const { return over_budget_; }

  /// Whether a warning about one client may be written now: a few a second are enough to act on.
  bool may_warn();
  /// For monitoring, of which some may be on.
  void remember_closed(const Connection& connection) {
    if (watch_) watch_->on_closed(connection);
  }

  // ---- From other shards.
  void adopt(int descriptor, uint64_t cid, Door door = Door::plain);
  void on_newcomer(const ConnectionRecord& record) {
    adopt(record.descriptor, record.cid, record.door);
  }
  /// A client could not say who it is. Counted, and logged at a bounded rate.
  void on_refused_admission(const Connection& connection, std::string_view who);
  /// A client has failed to speak TLS as it should. Logged at a bounded rate too.
  void on_failed_handshake(const Connection& connection, std::string_view error);

  // ---- For tests and monitoring.
  size_t connections() const { return connections_open_; }
  ShardId id() const { return link_.here(); }

 private:
  struct Parked {
    Handle connection;
    size_t record_bytes;
  };
  struct Stalled {
    Handle connection;
    int64_t until_ns;

    bool operator<(const Stalled& other) const { return until_ns > other.until_ns; }
  };

  static Handle handle(const Connection& connection) {
    return {connection.slot(), connection.generation()};
  }

  void turn(std::span<const core::Completion> completions);
  bool may_run_lent() const;
  void take_helper_results();
  void count_turn();
  void count_messages(int64_t turn_ns);
  TurnSums sums() const;
  void notice_hold(int64_t began_ns);
  int64_t held_min_ns() const;
  void note_completions(std::span<const core::Completion> completions);
  void complete_sends(std::span<const core::Completion> completions);
  void complete(std::span<const core::Completion> completions);
  void resume_waiting();
  void give_shares();
  void resume_parked();
  void resume_telling();
  void forget_closed();
  void arm_starved();
  void flush_dirty();
  void follow_phase();
  void enter_lame_duck();
  void close_next_lame_ducks();
  void stop_all();
  void give_time_to_stop();
  int64_t leaving_deadline_ns() const;
  void answer_roll_call();
  void follow_settings();
  void close_newest(uint32_t count);
  bool memory_watch_due() const;
  void watch_memory();
  void watch_index();
  void release(uint32_t slot);
  size_t bytes_to_resume(ShardId target) const;
  void decide_sleep();
  bool polls_on();
  bool may_sleep();
  bool has_work() const;
  bool finished() const;

  ServerState& state_;
  uint64_t settings_number_;
  std::shared_ptr<const Settings> settings_;
  // Taken when they are first needed.
  std::unique_ptr<char[]> plain_memory_;
  std::unique_ptr<char[]> inflate_memory_;
  std::unique_ptr<Inflater> inflater_;
  std::unique_ptr<Deflater> deflater_;
  core::Mesh& mesh_;
  core::Reactor& reactor_;
  core::Log& log_;
  core::Random random_;
  core::ChunkPool pool_;
  core::TimerWheel timers_;
  ShardStats stats_;
  core::FlightRecorder recorder_;
  TurnWatch turn_watch_;
  Interest interest_;
  TurnBudget budget_;
  ShardLink link_;
  Fences fences_;
  Router router_;
  VerdictCache verdicts_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<ShardWatch> watch_;  // When somebody watches.

  std::vector<std::unique_ptr<Connection>> connections_;  // By slot.
  std::vector<uint32_t> generations_;
  std::vector<uint32_t> free_slots_;
  size_t connections_open_ = 0;  // Slots in use.

  std::vector<Handle> dirty_;  // To be flushed at the turn's end.
  std::vector<Handle> flushing_;
  std::deque<Handle> closing_;              // Their subscriptions are still to be taken out.
  std::deque<Handle> starved_;              // Wait for a receive buffer.
  std::deque<Handle> waiting_;              // For a share of a turn.
  std::vector<Handle> next_turn_;           // For one of the next.
  std::deque<Handle> telling_;              // Until other shards have room for their interest.
  std::vector<Stalled> stalled_;            // A heap: the next to go on is first.
  std::vector<std::deque<Parked>> parked_;  // By the shard that had no room.
  size_t parked_count_ = 0;

  // Clients that are named one by one in the log.
  static constexpr unsigned clients_named_per_second = 10;
  LineQuota warnings_{clients_named_per_second};           // Of those that are slow.
  LineQuota refusals_logged_{clients_named_per_second};    // Of those that were not let in.
  LineQuota handshakes_logged_{clients_named_per_second};  // Of TLS, that failed.
  uint64_t out_messages_counted_ = 0;                      // In message_times.
  bool lent_ = false;                                      // This turn is.
  bool tracing_ = false;
  bool tracing_all_ = false;
  uint64_t roll_call_ = 0;
  Phase phase_ = Phase::running;
  int64_t lame_duck_next_ns_ = INT64_MAX;
  int64_t lame_duck_end_ns_ = 0;
  int64_t stop_by_ns_ = INT64_MAX;
  int64_t memory_watch_ns_ = 0;
  int64_t memory_watched_bytes_ = 0;  // Ours, when we last looked.
  bool over_budget_ = false;
  bool index_full_ = false;
  Handle cut_off_{0, 0};  // Who was last, for the budget's sake.
  size_t turn_completions_ = 0;
  uint64_t completions_total_ = 0;
  int64_t poll_until_ns_ = 0;
  int64_t deadline_ns_ = 0;
};

}  // namespace peal::server
