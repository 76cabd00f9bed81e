#include "server/shard_link.hpp"

#include <algorithm>
#include <cassert>

#include "server/shard.hpp"

namespace peal::server {
namespace {

using core::Lane;

// Data read from one lane in one turn, so that clients of this shard are served in between.
constexpr uint64_t drain_bytes_per_turn = 512 * 1024;

RecordKind kind_of(std::string_view record) {
  RecordKind kind;
  std::memcpy(&kind, record.data(), sizeof kind);
  return kind;
}

template <typename Record>
std::string_view bytes_of(const Record& record) {
  return {reinterpret_cast<const char*>(&record), sizeof record};
}

}  // namespace

ShardLink::ShardLink(ShardId here, core::Mesh& mesh, core::Reactor& reactor, Interest& interest,
                     ShardStats& stats, const TurnBudget& budget)
    : here_(here),
      shards_(static_cast<ShardId>(mesh.shards())),
      mesh_(mesh),
      reactor_(reactor),
      interest_(interest),
      stats_(stats),
      budget_(budget),
      peers_(mesh.shards()) {
  if (shards_ == 1) return;
  for (ShardId to = 0; to < shards_; to++) {
    if (to == here) continue;
    peers_[to].data_out = &out(Lane::data, to);
    grant(to);
  }
  const core::Mailbox& any = out(Lane::data, here == 0 ? 1 : 0);
  record_bytes_max_ = any.record_bytes_max();
  publish_early_bytes_ = any.capacity_bytes() / 2;
  release_early_bytes_ = any.capacity_bytes() / 4;
  run_bytes_max_ = any.capacity_bytes() / 16;
}

ShardLink::~ShardLink() {
  for (Peer& peer : peers_) {
    for (const Deferred& deferred : peer.side) {
      if (deferred.lane == Lane::data) release_reference(deferred.record);
    }
  }
}

// ---- Out.

bool ShardLink::make_way(ShardId to) {
  return (interest_flushed() || flush_interest()) && flush_side(to);
}

// A shard that is awake can begin to read before our turn ends.
void ShardLink::publish_early(ShardId to) {
  publish_control();
  peers_[to].data_out->publish();
}

bool ShardLink::tell_interest() {
  const bool all = interest_flushed() || flush_interest();
  publish_control();
  return all;
}

bool ShardLink::append_or_defer(ShardId to, std::string_view record) {
  if (!has_room(to, record.size())) return defer(to, Lane::data, record);
  put(append(to, record.size()), record);
  return true;
}

bool ShardLink::send_control(ShardId to, std::string_view record) {
  if (peers_[to].side.empty() && put_control(to, record)) return true;
  return defer(to, Lane::control, record);
}

void ShardLink::send_stall(ShardId to, const StallRecord& record) {
  Peer& peer = peers_[to];
  if (peer.last_stall && peer.last_stall->slot == record.slot &&
      peer.last_stall->generation == record.generation) {
    return;  // Said this turn already.
  }
  if (put_control(to, bytes_of(record))) peer.last_stall = record;
}

bool ShardLink::put_control(ShardId to, std::string_view record) {
  core::Mailbox& mailbox = out(Lane::control, to);
  if (!mailbox.has_room(record.size())) return false;
  put(mailbox.append(record.size()), record);
  touch(to);
  return true;
}

bool ShardLink::defer(ShardId to, Lane lane, std::string_view record) {
  if (side_bytes_ + record.size() > side_list_bytes_max) return false;
  side_bytes_ += record.size();
  peers_[to].side.push_back({lane, std::string(record)});
  return true;
}

bool ShardLink::flush_side(ShardId to) {
  auto& side = peers_[to].side;
  while (!side.empty()) {
    const Deferred& first = side.front();
    core::Mailbox& mailbox = out(first.lane, to);
    if (!mailbox.has_room(first.record.size())) return false;
    put(mailbox.append(first.record.size()), first.record);
    if (first.lane == Lane::data) {
      mailbox.spend(1);
      peers_[to].run_bytes = 0;
    }
    touch(to);
    side_bytes_ -= first.record.size();
    side.pop_front();
  }
  return true;
}

bool ShardLink::flush_interest() {
  last_flush_epoch_ = interest_.change_epoch();
  bool all = true;
  for (ShardId to = 0; to < shards_; to++) {
    if (to != here_ && !flush_interest_to(to)) all = false;
  }
  if (all) flushed_epoch_ = interest_.change_epoch();
  return all;
}

bool ShardLink::flush_interest_to(ShardId to) {
  Peer& peer = peers_[to];
  core::Mailbox& mailbox = out(Lane::control, to);
  for (InterestChange change; interest_.next_change(to, change);) {
    const size_t bytes = sizeof(InterestHead) + change.filter.size() + change.queue.size();
    if (!mailbox.has_room(bytes)) return false;
    InterestHead head;
    head.account = change.account;
    head.filter_bytes = static_cast<uint32_t>(change.filter.size());
    head.queue_bytes = static_cast<uint32_t>(change.queue.size());
    head.members = change.members;
    head.epoch = change.epoch;
    char* at = put(mailbox.append(bytes), &head, sizeof head);
    at = put(at, change.filter);
    put(at, change.queue);
    touch(to);
    peer.told_epoch = change.epoch;
    interest_.taken(to);
  }
  // What came and went again before it was told has moved the epoch all the same, and a fence may
  // stand there.
  if (peer.told_epoch == interest_.change_epoch()) return true;
  InterestHead mark;
  mark.kind = RecordKind::interest_mark;
  mark.epoch = interest_.change_epoch();
  if (!put_control(to, bytes_of(mark))) return false;
  peer.told_epoch = mark.epoch;
  return true;
}

void ShardLink::want_room(ShardId to) { out(Lane::data, to).want_room(); }

bool ShardLink::room_came(ShardId to, size_t record_bytes) {
  return !has_backlog() && out(Lane::data, to).has_room(record_bytes);
}

void ShardLink::want_room_for_backlog() {
  for (ShardId to = 0; to < shards_; to++) {
    if (to == here_) continue;
    out(Lane::control, to).want_room();
    if (!peers_[to].side.empty()) out(peers_[to].side.front().lane, to).want_room();
  }
}

void ShardLink::touch(ShardId to) { peers_[to].touched = true; }

void ShardLink::publish_control() {
  for (ShardId to = 0; to < shards_; to++) {
    if (to == here_) continue;
    core::Mailbox& control = out(Lane::control, to);
    peers_[to].told_much |= control.unpublished_bytes() > lent_bytes_max;
    if (control.unpublished_bytes() > 0) control.publish();
  }
}

void ShardLink::end_turn(bool may_run_others) {
  if (shards_ == 1) return;
  if (!interest_flushed()) flush_interest();
  for (ShardId to = 0; to < shards_; to++) {
    if (!peers_[to].side.empty()) flush_side(to);
  }
  publish_control();
  for (ShardId to = 0; to < shards_; to++) {
    Peer& peer = peers_[to];
    if (!peer.touched) continue;
    core::Mailbox& data = out(Lane::data, to);
    peer.told_much |= data.unpublished_bytes() > lent_bytes_max;
    if (data.unpublished_bytes() > 0) data.publish();
  }
  for (ShardId to = 0; to < shards_; to++) {
    Peer& peer = peers_[to];
    if (!std::exchange(peer.touched, false)) continue;
    peer.last_stall.reset();
    const bool run_here = !std::exchange(peer.told_much, false) && may_run_others;
    if (mesh_.see_to(to, run_here)) reactor_.wake(mesh_.handle(to));
  }
}

// ---- In.

void ShardLink::drain(Shard& shard) {
  if (shards_ == 1) return;
  for (ShardId from = 0; from < shards_; from++) {
    if (from != here_) peers_[from].data_head = in(Lane::data, from).head();
  }
  for (ShardId from = 0; from < shards_; from++) {
    if (from != here_) drain_control(from, shard);
  }
  // A lane that fills the turn is the last one in the next.
  const uint64_t work_end = budget_.spent() + budget_.per_turn();
  const ShardId first = first_drained_;
  first_drained_ = static_cast<ShardId>((first + 1) % shards_);
  for (ShardId i = 0; i < shards_ && budget_.spent() < work_end; i++) {
    const auto from = static_cast<ShardId>((first + i) % shards_);
    if (from == here_ || peers_[from].data_head == data_consumed(from)) continue;
    drain_data(from, work_end, shard);
    if (budget_.spent() >= work_end) {
      first_drained_ = static_cast<ShardId>((from + 1) % shards_);
    }
  }
}

void ShardLink::drain_control(ShardId from, Shard& shard) {
  core::Mailbox& mailbox = in(Lane::control, from);
  Peer& peer = peers_[from];
  peer.seen_acknowledged = mesh_.acknowledged(from, here_);
  const uint64_t head = mailbox.head();
  for (;;) {
    const std::span<const char> record = mailbox.peek(head);
    if (record.empty()) break;
    on_control(from, {record.data(), record.size()}, shard);
    mailbox.pop(record);
    const bool much = mailbox.unreleased_bytes() >= mailbox.capacity_bytes() / 4;
    if (much && mailbox.release()) touch(from);
  }
  if (mailbox.release()) touch(from);
  if (peer.heard_epoch != peer.confirmed_epoch) {
    peer.confirmed_epoch = peer.heard_epoch;
    mesh_.acknowledge(here_, from, peer.heard_epoch);
    touch(from);  // A PONG there may wait for this.
  }
}

void ShardLink::on_control(ShardId from, std::string_view record, Shard& shard) {
  switch (kind_of(record)) {
    case RecordKind::interest: {
      const auto head = take_head<InterestHead>(record);
      InterestChange change{};
      change.account = head.account;
      change.filter = take(record, head.filter_bytes);
      change.queue = take(record, head.queue_bytes);
      change.members = head.members;
      change.epoch = head.epoch;
      interest_.apply(from, change);
      peers_[from].heard_epoch = head.epoch;
      return;
    }
    case RecordKind::interest_mark:
      peers_[from].heard_epoch = take_head<InterestHead>(record).epoch;
      return;
    case RecordKind::connection:
      return shard.on_newcomer(take_head<ConnectionRecord>(record));
    case RecordKind::stall:
      return shard.router().on_hold(from, take_head<StallRecord>(record));
    case RecordKind::no_responders: {
      const auto head = take_head<NoRespondersHead>(record);
      const std::string_view subject = take(record, head.subject_bytes);
      return shard.router().on_no_responders(head, subject, take(record, head.reply_bytes));
    }
    case RecordKind::message:
      break;
  }
  assert(false && "a message on a control lane");
}

void ShardLink::drain_data(ShardId from, uint64_t work_end, Shard& shard) {
  core::Mailbox& mailbox = in(Lane::data, from);
  const uint64_t begin = mailbox.consumed_position();
  uint64_t messages = 0;
  uint64_t work_begin = budget_.spent();
  const auto release = [&] {
    if (mailbox.unreleased_bytes() == 0) return;
    peers_[from].window.count(messages, budget_.spent() - work_begin);
    messages = 0;
    work_begin = budget_.spent();
    grant(from);
    if (mailbox.release()) touch(from);
  };
  while (mailbox.consumed_position() - begin < drain_bytes_per_turn && budget_.spent() < work_end) {
    const std::span<const char> record = mailbox.peek(peers_[from].data_head);
    if (record.empty()) break;
    messages += shard.router().on_record(from, {record.data(), record.size()});
    mailbox.pop(record);
    // The producer may be waiting for room while we read on.
    if (mailbox.unreleased_bytes() >= release_early_bytes_) release();
  }
  release();
}

// All lanes together may have as much waiting as fills two turns: one is read while the next one is
// written.
void ShardLink::grant(ShardId from) {
  LaneWindow& window = peers_[from].window;
  const uint64_t work = std::max<uint64_t>(1, 2 * budget_.per_turn() / (shards_ - 1u));
  in(Lane::data, from).grant(window.credit(work), window.price());
}

void ShardLink::discard_inbound() {
  for (ShardId from = 0; from < shards_; from++) {
    if (from == here_) continue;
    core::Mailbox& mailbox = in(Lane::data, from);
    for (;;) {
      const std::span<const char> record = mailbox.peek(mailbox.head());
      if (record.empty()) break;
      release_reference({record.data(), record.size()});
      mailbox.pop(record);
    }
  }
}

// ---- Fences and sleep.

bool ShardLink::acknowledged(uint64_t epoch) const {
  for (ShardId by = 0; by < shards_; by++) {
    if (by != here_ && mesh_.acknowledged(by, here_) < epoch) return false;
  }
  return true;
}

uint64_t ShardLink::inbound_bytes() const {
  uint64_t bytes = 0;
  for (ShardId from = 0; from < shards_; from++) {
    if (from != here_) bytes += in(Lane::data, from).head() - data_consumed(from);
  }
  return bytes;
}

uint64_t ShardLink::inbound_capacity_bytes() const {
  uint64_t bytes = 0;
  for (ShardId from = 0; from < shards_; from++) {
    if (from != here_) bytes += in(Lane::data, from).capacity_bytes();
  }
  return bytes;
}

uint64_t ShardLink::data_head(ShardId from) const { return in(Lane::data, from).head(); }
uint64_t ShardLink::data_consumed(ShardId from) const {
  return in(Lane::data, from).consumed_position();
}

bool ShardLink::has_news() const {
  for (ShardId from = 0; from < shards_; from++) {
    if (from == here_) continue;
    if (in(Lane::data, from).head() != in(Lane::data, from).consumed_position()) return true;
    if (in(Lane::control, from).head() != in(Lane::control, from).consumed_position()) return true;
    if (mesh_.acknowledged(from, here_) != peers_[from].seen_acknowledged) return true;
  }
  return false;
}

bool ShardLink::has_backlog() const { return !interest_flushed() || side_bytes_ > 0; }

bool ShardLink::backlog_can_move() {
  if (!has_backlog()) return false;
  for (ShardId to = 0; to < shards_; to++) {
    if (to == here_) continue;
    const Peer& peer = peers_[to];
    if (!peer.side.empty() &&
        out(peer.side.front().lane, to).has_room(peer.side.front().record.size())) {
      return true;
    }
    if (peer.told_epoch != interest_.change_epoch() &&
        out(Lane::control, to).has_room(out(Lane::control, to).record_bytes_max())) {
      return true;
    }
  }
  return false;
}

}  // namespace peal::server
