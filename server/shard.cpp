#include "server/shard.hpp"

#include <algorithm>

#include "core/clock.hpp"

namespace peal::server {
namespace {

using core::millisecond_ns;
using core::OpKind;

// Taking a million subscriptions out of the trie is work for many turns.
constexpr unsigned unsubscribes_per_turn = 2048;

// A shard that has not run for so large a part of write_deadline was held; or for so long, which is
// much of what a newcomer has to say who he is.
constexpr int64_t held_part = 4;
constexpr int64_t held_ns_max = 500 * millisecond_ns;

// To so many clients another thread sends in our place. More is worth a waking.
constexpr size_t lent_flushes_max = 4;
// Sends that are done at once may let more be sent, a few times.
constexpr unsigned lent_rounds_max = 4;

// Decrypted bytes are parsed so many at a time.
constexpr size_t plain_memory_bytes = 64 * 1024;

const char* name_of(OpKind kind) {
  switch (kind) {
    case OpKind::accept:
      return "accept";
    case OpKind::recv:
      return "recv";
    case OpKind::send:
      return "send";
    case OpKind::wake:
      return "wake";
    case OpKind::notify:
      return "notify";
    case OpKind::discard:
      return "discard";
  }
  return "?";
}

}  // namespace

Shard::Shard(ShardId id, ServerState& state, core::Mesh& mesh, core::Reactor& reactor,
             core::Log& log, uint64_t seed)
    : state_(state),
      settings_(state.settings.take(settings_number_)),
      mesh_(mesh),
      reactor_(reactor),
      log_(log),
      random_(seed),
      timers_(reactor.now_ns()),
      recorder_(id),
      interest_(id, static_cast<ShardId>(mesh.shards()), state.hash_seed),
      budget_(state.work_per_turn),
      link_(id, mesh, reactor, interest_, stats_, budget_),
      fences_(link_),
      router_(*this, random_.next()),
      verdicts_(state.hash_seed),
      parked_(mesh.shards()) {
  mesh_.join(id, *this, reactor.handle());
  interest_.set_delivery_filter(
      {this, [](const void* shard, const Subscription& subscription, std::string_view subject,
                std::string_view queue) {
         const auto& connections = static_cast<const Shard*>(shard)->connections_;
         return connections[subscription.owner]->may_receive(subject, queue);
       }});
  state_.helper_inboxes[id].attach(&reactor);
  if (state.watch_slots) watch_ = std::make_unique<ShardWatch>(*this, state.watch_slots[id]);
}

Shard::~Shard() { state_.helper_inboxes[id()].attach(nullptr); }

void Shard::listen(int descriptor, Door door) {
  const auto index = static_cast<uint32_t>(listeners_.size());
  listeners_.push_back(std::make_unique<Listener>(*this, descriptor, index, door));
  listeners_.back()->arm();
}

bool Shard::tick() {
  const int64_t began_ns = now_ns();
  recorder_.enter("wait");
  const std::span<const core::Completion> completions =
      reactor_.wait(deadline_ns_, &mesh_.baton(id()));
  count_turn();
  notice_hold(began_ns);
  answer_roll_call();
  turn(completions);
  watch_memory();
  if (watch_) watch_->on_turn();
  if (finished()) return false;
  decide_sleep();
  return true;
}

bool Shard::run_lent_turn() {
  if (!may_run_lent()) return false;
  const int64_t sleeps_until_ns = deadline_ns_;
  reactor_.begin_loan();
  // Its own thread should be awake by now. What its clients did until then only that can see, and
  // whoever has a deadline would be judged without.
  if (now_ns() >= sleeps_until_ns) {
    reactor_.end_loan();
    return false;
  }
  lent_ = true;
  turn({});
  for (unsigned round = 1; round < lent_rounds_max; round++) {
    const std::span<const core::Completion> sends = reactor_.loan_completions();
    if (sends.empty()) break;
    turn(sends);
  }
  decide_sleep();
  recorder_.enter("wait");
  lent_ = false;
  const bool to_submit = reactor_.end_loan();
  stats_.lent_turns++;
  count_messages(reactor_.stats().last_loan_ns);
  // When its own thread should be awake again: if that comes much later, it was held.
  deadline_ns_ = to_submit ? now_ns() : std::max(deadline_ns_, now_ns());
  return deadline_ns_ >= sleeps_until_ns;
}

// Who polls wants to be woken.
bool Shard::may_run_lent() const {
  return phase_ == Phase::running && options().busy_poll_us == 0 && !has_work() &&
         parked_count_ == 0 && telling_.empty() &&
         link_.inbound_bytes() <= ShardLink::lent_bytes_max;
}

void Shard::turn(std::span<const core::Completion> completions) {
  note_completions(completions);
  turn_completions_ = completions.size();
  completions_total_ += completions.size();
  tracing_all_ = log_.enabled(core::Level::trace);
  tracing_ = tracing_all_ || (watch_ && watch_->has_trace());

  follow_settings();
  recorder_.enter("sends");
  complete_sends(completions);
  recorder_.enter("records");
  link_.drain(*this);
  waiting_.insert(waiting_.end(), next_turn_.begin(), next_turn_.end());
  next_turn_.clear();
  budget_.begin_turn(waiting_.size() + parked_count_);
  recorder_.enter("shares");
  give_shares();
  recorder_.enter("completions");
  complete(completions);
  recorder_.enter("timers");
  if (state_.helper_inboxes[id()].any()) take_helper_results();
  timers_.advance(now_ns(), [this](uint32_t slot) {
    if (connections_[slot]) connections_[slot]->on_timer();
  });
  follow_phase();
  recorder_.enter("those who wait");
  resume_waiting();
  recorder_.enter("the closed");
  forget_closed();
  recorder_.enter("those who subscribe");
  if (!telling_.empty()) resume_telling();
  reactor_.give_back();
  arm_starved();
  recorder_.enter("flush");
  router_.end_turn();
  link_.end_turn(!lent_);
  if (!lent_ || dirty_.size() <= lent_flushes_max) flush_dirty();
  interest_.reclaim();
}

// The clock was asked at the end of the last turn, so it is that one which is counted now.
void Shard::count_turn() {
  stats_.turns++;
  const int64_t turn_ns = reactor_.stats().last_turn_ns;
  stats_.turn_times.add(turn_ns, 1);
  count_messages(turn_ns);
  stats_.slow_turns +=
      turn_watch_.ended(sums(), turn_ns, options().slow_turn.count(), now_ns(), id(), log_);
  recorder_.begin_turn(stats_.turns);
}

void Shard::count_messages(int64_t turn_ns) {
  stats_.message_times.add(turn_ns, stats_.out_messages - out_messages_counted_);
  out_messages_counted_ = stats_.out_messages;
}

TurnSums Shard::sums() const {
  return {.completions = completions_total_,
          .records = stats_.messages_from_shards,
          .in_messages = stats_.in_messages,
          .out_messages = stats_.out_messages,
          .connections_released = stats_.connections_total - connections_open_,
          .subscriptions_released = stats_.subscriptions_total - interest_.subscriptions()};
}

// Whoever was not run cannot know what his clients did meanwhile: what they have sent and taken
// lies in the kernel, and may not be seen in this turn. So a shard that was held, or whose clock
// leapt, gives everybody his time anew instead of finding all of them too slow.
void Shard::notice_hold(int64_t began_ns) {
  const int64_t turn_ns = reactor_.stats().last_turn_ns;
  const int64_t due_ns = std::max(deadline_ns_, began_ns + turn_ns);
  const bool overslept = deadline_ns_ != INT64_MAX && now_ns() - due_ns > held_min_ns();
  if (!overslept && turn_ns <= held_min_ns()) return;
  stats_.holds++;
  for (const auto& connection : connections_) {
    if (connection) connection->give_time_again(now_ns() - began_ns);
  }
  give_time_to_stop();
}

int64_t Shard::held_min_ns() const {
  return std::min(options().write_deadline.count() / held_part, held_ns_max);
}

void Shard::note_completions(std::span<const core::Completion> completions) {
  for (const core::Completion& done : completions) {
    recorder_.note(name_of(done.token.kind), done.token.slot, done.result);
  }
}

// Sends come before anything is delivered: they give memory back, and show who makes progress.
void Shard::complete_sends(std::span<const core::Completion> completions) {
  for (const core::Completion& done : completions) {
    if (done.token.kind != OpKind::send) continue;
    if (Connection* connection = find({done.token.slot, done.token.generation})) {
      connection->on_send(done);
    }
  }
}

void Shard::complete(std::span<const core::Completion> completions) {
  for (const core::Completion& done : completions) {
    switch (done.token.kind) {
      case OpKind::recv:
        if (Connection* connection = find({done.token.slot, done.token.generation})) {
          connection->on_recv(done);
        }
        break;
      case OpKind::accept:
        listeners_[done.token.slot]->on_accept(done);
        break;
      case OpKind::send:
      case OpKind::wake:
      case OpKind::notify:
      case OpKind::discard:
        break;
    }
  }
}

void Shard::take_helper_results() {
  for (const HelperResult& result : state_.helper_inboxes[id()].take()) {
    if (Connection* connection = find({result.slot, result.generation})) {
      switch (result.of) {
        case HelperResult::Of::proof:
          connection->on_proof(result.holds);
          break;
        case HelperResult::Of::handshake:
          connection->on_handshake();
          break;
      }
    }
  }
}

std::span<char> Shard::plain_memory() {
  if (!plain_memory_) plain_memory_ = std::make_unique_for_overwrite<char[]>(plain_memory_bytes);
  return {plain_memory_.get(), plain_memory_bytes};
}

std::span<char> Shard::inflate_memory() {
  if (!inflate_memory_) {
    inflate_memory_ = std::make_unique_for_overwrite<char[]>(plain_memory_bytes);
  }
  return {inflate_memory_.get(), plain_memory_bytes};
}

std::unique_ptr<Inflater> Shard::take_inflater() {
  return inflater_ ? std::move(inflater_) : std::make_unique<Inflater>();
}

Deflater& Shard::deflater() {
  if (!deflater_) deflater_ = std::make_unique<Deflater>();
  return *deflater_;
}

// ---- Connections.

Connection* Shard::find(Handle handle) const {
  if (handle.slot >= connections_.size() || generations_[handle.slot] != handle.generation) {
    return nullptr;
  }
  return connections_[handle.slot].get();
}

void Shard::adopt(int descriptor, uint64_t cid, Door door) {
  if (phase_ == Phase::stopping) {
    reactor_.close(descriptor);
    state_.shard_words[id()].connections.fetch_sub(1, std::memory_order_relaxed);
    state_.shard_words[id()].open.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(connections_.size());
    connections_.emplace_back();
    generations_.push_back(1);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  connections_[slot] = std::make_unique<Connection>(*this, slot, generations_[slot], descriptor,
                                                    cid, reactor_.adopt(descriptor), door);
  connections_open_++;
  stats_.connections_total++;
  connections_[slot]->start();
  if (state_.open_connections() > options().limits.connections_max) {
    connections_[slot]->refuse_as_surplus();
  }
}

void Shard::flush_later(Connection& connection) { dirty_.push_back(handle(connection)); }
void Shard::forget_later(Connection& connection) { closing_.push_back(handle(connection)); }
void Shard::recv_later(Connection& connection) {
  stats_.receive_starved++;
  starved_.push_back(handle(connection));
}

void Shard::resume_at(Connection& connection, int64_t due_ns) {
  stalled_.push_back({handle(connection), due_ns});
  std::push_heap(stalled_.begin(), stalled_.end());
}

void Shard::wait_for_share(Connection& connection) { waiting_.push_back(handle(connection)); }
void Shard::wait_to_tell(Connection& connection) { telling_.push_back(handle(connection)); }

void Shard::park(Connection& connection, ShardId target, size_t record_bytes) {
  stats_.parked++;
  connection.wait_for_room();
  parked_[target].push_back({handle(connection), record_bytes});
  parked_count_++;
}

void Shard::flush_dirty() {
  // A flush may find that a connection is done, which marks others but flushes none anew this turn.
  flushing_.swap(dirty_);
  for (const Handle each : flushing_) {
    if (Connection* connection = find(each)) connection->flush();
  }
  flushing_.clear();
}

// Takes the subscriptions of the closed out of the trie, a slice a turn, and frees those that the
// kernel has let go of. A connection comes here when it begins to close and when it has.
void Shard::forget_closed() {
  if (closing_.empty() || !link_.tell_interest()) return;
  unsigned budget = unsubscribes_per_turn;
  while (!closing_.empty() && budget > 0) {
    const Handle each = closing_.front();
    Connection* connection = find(each);
    if (connection != nullptr) {
      for (; budget > 0 && connection->owned() != no_subscription; budget--) {
        connection->end_subscription(*interest_.at(connection->owned()));
        if (!link_.on_interest_changed()) return;
      }
      if (budget == 0) return;
      if (connection->released()) release(each.slot);
    }
    closing_.pop_front();
  }
}

void Shard::release(uint32_t slot) {
  connections_[slot]->settle_counts();
  connections_[slot].reset();
  generations_[slot] = (generations_[slot] + 1) & core::Token::generation_mask;
  free_slots_.push_back(slot);
  connections_open_--;
  state_.shard_words[id()].connections.fetch_sub(1, std::memory_order_relaxed);
}

bool Shard::may_warn() {
  return warnings_.permits(now_ns(), [this](uint64_t clients) {
    log_.warning("{} more clients were slow in the second before", clients);
  });
}

// Whoever tries passwords must not fill the log with them.
void Shard::on_refused_admission(const Connection& connection, std::string_view who) {
  stats_.admissions_refused++;
  const auto say_left_out = [this](uint64_t errors) {
    log_.warning("{} more authentication errors in a second were not logged", errors);
  };
  if (!refusals_logged_.permits(now_ns(), say_left_out)) return;
  log_.warning("{} - authentication error{}", connection.label(), who);
}

void Shard::on_failed_handshake(const Connection& connection, std::string_view error) {
  const auto say_left_out = [this](uint64_t errors) {
    log_.warning("{} more TLS handshake errors in a second were not logged", errors);
  };
  if (!handshakes_logged_.permits(now_ns(), say_left_out)) return;
  log_.warning("{} - TLS handshake error: {}", connection.label(), error);
}

}  // namespace peal::server
