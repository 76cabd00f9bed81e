#pragma once
// One shard's end of the mesh: what it tells the other shards and in which order, and the reading
// of what they tell it. It knows lanes, records and epochs; what a record does to clients is its
// shard's.
//
// The order that causality rests on:
//   - A data record is written only when every change of interest before it is in the lanes for
//     control.
//   - Control lanes are shown to the others before data lanes are.
//   - A reader takes the heads of all data lanes, then drains all control lanes to their ends, and
//     only then reads the data.
// So whoever sees a message knows every subscription that was made before it was published, through
// however many shards it came.
//
// Draining never needs room in another lane. What has to be said while draining and finds no room
// waits in a side list with a limit of its own.

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/mesh.hpp"
#include "core/reactor.hpp"
#include "server/interest.hpp"
#include "server/lane_window.hpp"
#include "server/record.hpp"
#include "server/stats.hpp"
#include "server/turn_budget.hpp"

namespace peal::server {

class Shard;

class ShardLink {
 public:
  /// What may wait in all side lists of a shard together.
  static constexpr size_t side_list_bytes_max = 16 * 1024 * 1024;
  /// So many changes of interest are told before the turn ends.
  static constexpr uint64_t interest_told_at_once = 256;
  /// Those that may wait for room in a control lane, before who makes more has to wait.
  static constexpr uint64_t interest_untold_max = 512;
  /// What one shard does for another instead of waking it: more is worth two threads.
  static constexpr size_t lent_bytes_max = 4096;
  /// Of messages that are told as lines, which take fewer bytes and more work.
  static constexpr size_t lent_lines_max = 32;
  static constexpr size_t in_place_bytes = sizeof(MessageHead) + sizeof(InPlacePart);

  ShardLink(ShardId here, core::Mesh& mesh, core::Reactor& reactor, Interest& interest,
            ShardStats& stats, const TurnBudget& budget);
  ~ShardLink();
  ShardLink(const ShardLink&) = delete;
  ShardLink& operator=(const ShardLink&) = delete;

  ShardId here() const { return here_; }
  ShardId shards() const { return shards_; }
  size_t record_bytes_max() const { return record_bytes_max_; }

  // ---- Out.

  /// Whether a data record of this size can be appended for `to` now. Puts changes of interest into
  /// the control lanes first, because the record may not overtake them.
  bool has_room(ShardId to, size_t record_bytes) {
    Peer& peer = peers_[to];
    if (!interest_flushed() || !peer.side.empty()) [[unlikely]] {
      if (!make_way(to)) return false;
    }
    return peer.data_out->has_room(record_bytes);
  }

  /// Room for a data record, which is so many messages; REQUIRES has_room(), and credit() for more
  /// than one. Fill it before the next call.
  char* append(ShardId to, size_t record_bytes, size_t messages = 1) {
    Peer& peer = peers_[to];
    if (peer.data_out->unpublished_bytes() >= publish_early_bytes_) [[unlikely]]
      publish_early(to);
    peer.touched = true;
    peer.run_bytes = 0;
    peer.data_out->spend(messages);
    return peer.data_out->append(record_bytes);
  }

  /// How many of so many messages `to` is ready to have waiting for it now.
  size_t credit(ShardId to, size_t messages) { return peers_[to].data_out->credit(messages); }
  /// What a message was to it of late, as work_of() has it. As it said when credit was last asked
  /// for.
  uint64_t price(ShardId to) const { return peers_[to].data_out->price(); }

  /// How many messages like those of the run can be handed over at once: in one record, from one
  /// origin, on the route of the record before. 0 when something is unusual, and has_room() and
  /// append() are to be asked. It does not ask for credit().
  size_t run_room(ShardId to, uint64_t route_version, uint32_t origin,
                  const MessageRun& run) const {
    const Peer& peer = peers_[to];
    if (peer.route_version != route_version || route_version == 0 || !interest_flushed() ||
        !peer.side.empty()) {
      return 0;
    }
    const size_t behind = room_behind(peer, origin, run);
    if (behind > 0) return behind;
    if (peer.data_out->unpublished_bytes() >= publish_early_bytes_) return 0;
    const size_t bytes = std::min(run_bytes_max_, peer.data_out->known_room_bytes());
    return bytes < sizeof(MessageHead) ? 0 : (bytes - sizeof(MessageHead)) / run.content_bytes();
  }

  /// Where a run goes: behind the last record, or into a new one whose head is to be written.
  struct RunPlace {
    char* head;  // nullptr behind the last record.
    char* messages;
  };
  /// REQUIRES that it has no more messages than its run_room().
  RunPlace append_run(ShardId to, uint32_t origin, const MessageRun& run) {
    Peer& peer = peers_[to];
    peer.data_out->spend(run.count);
    const size_t bytes = run.count * run.content_bytes();
    if (room_behind(peer, origin, run) > 0) {
      peer.run_bytes -= bytes;
      return {nullptr, peer.data_out->try_extend(bytes)};
    }
    peer.touched = true;
    peer.run_bytes = run_bytes_max_ - sizeof(MessageHead) - bytes;
    peer.run_message_bytes = run.size;
    peer.run_tail_bytes = run.tail_bytes;
    peer.run_origin = origin;
    stats_.messages_to_shards++;
    char* const record = peer.data_out->try_append(sizeof(MessageHead) + bytes);
    return {record, record + sizeof(MessageHead)};
  }

  /// The same for a run that stays where it is, of which only its place is told: whether there is
  /// room for that.
  bool has_room_in_place(ShardId to, uint64_t route_version) const {
    const Peer& peer = peers_[to];
    return peer.route_version == route_version && route_version != 0 && interest_flushed() &&
           peer.side.empty() && peer.data_out->known_room_bytes() >= in_place_bytes;
  }
  /// Room for a MessageHead with an InPlacePart of so many messages behind it. REQUIRES
  /// has_room_in_place().
  char* append_in_place(ShardId to, size_t messages) {
    Peer& peer = peers_[to];
    peer.data_out->spend(messages);
    peer.touched = true;
    peer.told_much = true;
    peer.run_bytes = 0;
    stats_.messages_to_shards++;
    return peer.data_out->try_append(in_place_bytes);
  }

  /// Room for a MessageHead and so many bytes behind it, which are so many messages. REQUIRES
  /// has_room() and credit().
  char* append_lines(ShardId to, size_t content_bytes, size_t messages) {
    Peer& peer = peers_[to];
    assert(interest_flushed() && peer.side.empty());
    peer.told_much |= messages > lent_lines_max;
    return append(to, sizeof(MessageHead) + content_bytes, messages);
  }

  /// The record that was appended last stands for more than its bytes, and `to` is to read it on a
  /// thread of its own.
  void told_much(ShardId to) { peers_[to].told_much = true; }

  /// What the next record for `to` says of its route, which is so versioned, or 0. One that begins
  /// it names it for those that follow, until another one does.
  RouteRepeat repeats_route(ShardId to, uint64_t version) {
    if (version == 0) return RouteRepeat::none;
    const uint64_t before = std::exchange(peers_[to].route_version, version);
    return before == version ? RouteRepeat::same : RouteRepeat::begins;
  }

  /// A data record that may not fail for want of room: it waits in the side list. False when that
  /// is full too; then nothing was taken, and the caller counts the loss.
  bool append_or_defer(ShardId to, std::string_view record);

  /// A control record, in the same manner.
  bool send_control(ShardId to, std::string_view record);

  /// Holds the publisher back. Advice: without room it is not given, and will be again soon.
  void send_stall(ShardId to, const StallRecord& record);

  /// Asks to be woken when `to` has made room in its data lane, or in what stands before it.
  void want_room(ShardId to);
  /// As has_room(), but only looks, for a shard that is about to sleep.
  bool room_came(ShardId to, size_t record_bytes);
  /// Asks the same for everything that waits without a connection: changes of interest, side lists.
  void want_room_for_backlog();

  /// To be called after a change of interest. False when so many found no room that there should
  /// be no more until tell_interest().
  bool on_interest_changed() {
    if (shards_ == 1) return true;
    const uint64_t epoch = interest_.change_epoch();
    if (epoch - last_flush_epoch_ >= interest_told_at_once) tell_interest();
    return epoch - flushed_epoch_ < interest_untold_max;
  }
  /// Shows the others changes of interest, as many as their control lanes have room for; who is
  /// awake puts them in force before our turn ends. Whether that was all.
  bool tell_interest();

  /// Shows the other shards what this turn has written and wakes those who sleep, or runs a turn of
  /// theirs where that is less work and `may_run_others`.
  void end_turn(bool may_run_others);

  // ---- In.

  /// Reads what the other shards have shown, data up to a budget.
  void drain(Shard& shard);

  /// Takes everything that is left and releases it, when no shard runs any more.
  void discard_inbound();

  /// What waits in the data lanes to here, and what they hold at most.
  uint64_t inbound_bytes() const;
  uint64_t inbound_capacity_bytes() const;

  // ---- Fences and sleep.

  /// Every other shard has put in force what interest here was at `epoch`.
  bool acknowledged(uint64_t epoch) const;
  /// Where the data lane from `from` ends now, and how far it has been read.
  uint64_t data_head(ShardId from) const;
  uint64_t data_consumed(ShardId from) const;

  /// Something was shown to us, or acknowledged, since the last drain.
  bool has_news() const;
  /// Changes of interest or side lists still wait for room.
  bool has_backlog() const;
  /// Some of that would find room now.
  bool backlog_can_move();

 private:
  struct Peer;
  /// How many messages fit behind the last record, if that is such a run.
  static size_t room_behind(const Peer& peer, uint32_t origin, const MessageRun& run) {
    const size_t each_bytes = run.content_bytes();
    if (peer.run_bytes < each_bytes || peer.run_message_bytes != run.size ||
        peer.run_tail_bytes != run.tail_bytes || peer.run_origin != origin) {
      return 0;
    }
    return std::min(peer.run_bytes, peer.data_out->extension_bytes_max()) / each_bytes;
  }

  core::Mailbox& out(core::Lane lane, ShardId to) const { return mesh_.mailbox(lane, here_, to); }
  core::Mailbox& in(core::Lane lane, ShardId from) const {
    return mesh_.mailbox(lane, from, here_);
  }

  bool interest_flushed() const { return flushed_epoch_ == interest_.change_epoch(); }
  bool make_way(ShardId to);
  void publish_early(ShardId to);
  bool flush_interest();
  bool flush_interest_to(ShardId to);
  bool flush_side(ShardId to);
  bool put_control(ShardId to, std::string_view record);
  bool defer(ShardId to, core::Lane lane, std::string_view record);
  void publish_control();
  void touch(ShardId to);
  void drain_control(ShardId from, Shard& shard);
  void drain_data(ShardId from, uint64_t work_end, Shard& shard);
  void grant(ShardId from);
  void on_control(ShardId from, std::string_view record, Shard& shard);

  struct Deferred {
    core::Lane lane;
    std::string record;
  };
  struct Peer {
    core::Mailbox* data_out = nullptr;
    uint64_t route_version = 0;  // Of the last data record that named one.
    size_t run_bytes = 0;        // How much longer it may become, if it is a run.
    size_t run_message_bytes = 0;
    size_t run_tail_bytes = 0;
    uint32_t run_origin = 0;
    bool touched = false;
    bool told_much = false;
    std::deque<Deferred> side;
    uint64_t told_epoch = 0;       // Of our interest, in its control lane.
    uint64_t heard_epoch = 0;      // Of its interest, in force here.
    uint64_t confirmed_epoch = 0;  // What of it we have acknowledged.
    uint64_t seen_acknowledged = 0;
    uint64_t data_head = 0;                 // As of this turn.
    LaneWindow window;                      // Of its data lane to here.
    std::optional<StallRecord> last_stall;  // Of this turn.
  };

  const ShardId here_;
  const ShardId shards_;
  core::Mesh& mesh_;
  core::Reactor& reactor_;
  Interest& interest_;
  ShardStats& stats_;
  const TurnBudget& budget_;
  size_t record_bytes_max_ = SIZE_MAX;
  size_t publish_early_bytes_ = SIZE_MAX;
  size_t release_early_bytes_ = SIZE_MAX;
  size_t run_bytes_max_ = 0;
  uint64_t flushed_epoch_ = 0;     // Up to here, all of it is in every control lane.
  uint64_t last_flush_epoch_ = 0;  // Up to here, that was tried.
  size_t side_bytes_ = 0;
  ShardId first_drained_ = 0;
  std::vector<Peer> peers_;
};

}  // namespace peal::server
