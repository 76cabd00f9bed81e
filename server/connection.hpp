#pragma once
// The life of one client: receive, parse, act, send, close. What each command means stands in
// commands.cpp, where messages go in router.cpp.
//
// Whoever runs the shard touches it, nobody else, and only from completions, timers and the turn's
// end. Closing is a state, not an event: it makes the connection deaf, the kernel is asked to let
// go, and the object is freed by its shard when the last operation has come back.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/reactor.hpp"
#include "protocol/command.hpp"
#include "protocol/connect.hpp"
#include "protocol/error.hpp"
#include "protocol/parser.hpp"
#include "server/binary_link.hpp"
#include "server/carry.hpp"
#include "server/interest.hpp"
#include "server/message_run.hpp"
#include "server/outbox.hpp"
#include "server/reply_permits.hpp"
#include "server/route.hpp"
#include "server/seat.hpp"
#include "server/security.hpp"
#include "server/stats.hpp"
#include "server/tls_link.hpp"
#include "server/websocket_link.hpp"

namespace peal::server {

class Shard;
struct ConnectionPicture;

/// What a client calls itself in its CONNECT.
struct ClientName {
  std::string name, lang, version;
};

/// What is kept of a connection until it is known who it is.
struct Admission {
  std::string nonce;  // That its signature has to cover; empty when no key could be asked for.
  int64_t due_ns = INT64_MAX;
  UserRef user;                  // Who it is if the proof holds.
  std::shared_ptr<Proof> proof;  // Of no interest to a helper any more once it is gone from here.
  Seat room;                     // For what one receive brought behind the CONNECT.
  protocol::ConnectOptions wishes;  // Of the CONNECT that waits for that.
};

/// Strangers who may have such room at a time, in the whole server. The others are held as short as
/// before their CONNECT.
inline constexpr uint32_t rooms_behind_proofs_max = 256;

/// Why a connection is not read from for now. It may be for several at once.
enum Pause : uint8_t {
  pause_fence = 1,       // Its PONG waits for other shards.
  pause_room = 2,        // Its next command waits for room in a mailbox.
  pause_stall = 4,       // It publishes faster than a slow subscriber reads.
  pause_interest = 8,    // What it changed about its subscriptions waits to be told.
  pause_proof = 16,      // Helpers look whether it is who it says.
  pause_share = 32,      // What it asked for was much work, and others come first.
  pause_handshake = 64,  // Helpers do a step of its TLS handshake.
};

class Connection {
 public:
  Connection(Shard& shard, uint32_t slot, uint32_t generation, int descriptor, uint64_t cid,
             core::PeerAddress peer, Door door = Door::plain);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Greets the client and begins to read.
  void start();

  // ---- Completions.
  void on_recv(const core::Completion& done);
  void on_send(const core::Completion& done);

  // ---- From the shard.

  /// Ends a pause; goes on with what was kept when it was the last one.
  void resume(Pause pause);
  /// The fence of the PING that paused it has been reached.
  void on_fence_reached();
  /// Reads one cap less often while a slow subscriber catches up.
  void stall(uint16_t stall_ms);
  /// The same for a subscriber of another shard. That says so again while it is slow, but one read
  /// after another could come before it: until then the connection is held after each.
  void stall_for_other_shard(uint16_t stall_ms);
  /// The receive buffer that it waited for may be there: receives again, if it still wants to.
  void arm_recv_if_wanted();
  /// Sends what the turn has appended.
  void flush();
  /// Helpers have found out whether it is who it said.
  void on_proof(bool holds);
  /// Helpers have done a step of the TLS handshake.
  void on_handshake();
  /// The timer fired: pings, deadlines, linger.
  void on_timer();
  /// The shard has not run for so long: what the client did meanwhile is not known, so whatever it
  /// has a time for begins anew.
  void give_time_again(int64_t held_ns);
  /// INFO, at first and whenever something in it has changed.
  void send_info(bool connect_info);
  /// The shard has new options: limits that were taken from the old ones are taken anew.
  void on_new_settings(bool info_changed);
  /// Whether it takes INFO at any time.
  bool takes_info() const { return async_info_ && ponged_; }
  /// A publish of its was accepted and is about to be delivered.
  void on_published(const protocol::Command& command);
  /// It has what it wanted of a subscription, or wants no more.
  void end_subscription(Subscription& subscription);
  /// Waits for room; the shard resumes it.
  void wait_for_room() { pauses_ |= pause_room; }
  /// Its next command comes behind those of others who wait for a share of the work.
  void wait_for_share();
  /// The same, and not in this turn.
  void wait_for_turn();
  /// A subscriber of what it publishes reads slowly; it is held when this read has been dealt with.
  void want_stall(uint16_t stall_ms) { stall_wanted_ms_ = stall_ms; }

  // ---- Closing.

  /// The one way out, from any depth of any handler. The first reason stands.
  void close(CloseReason reason, int error = 0);
  /// Tells the client why, and closes if that is what the refusal means.
  void refuse(protocol::Refusal refusal, std::initializer_list<std::string_view> details = {});
  /// It came as one too many.
  void refuse_as_surplus();
  /// Closes without waiting for anything but the kernel.
  void abandon();
  bool open() const { return state_ == State::open; }
  /// It was one too many, and will be told so when it can read.
  bool is_surplus() const { return websocket_ && websocket_->connections_exceeded; }
  /// Nothing of it is in the kernel's hands any more, nor in the trie.
  bool released() const { return state_ == State::closed && owned_ == no_subscription; }

  // ---- What deliveries need; see router.cpp.
  Outbox& outbox() { return outbox_; }
  const Outbox& outbox() const { return outbox_; }
  bool headers() const { return headers_; }
  /// It speaks in frames, and is spoken to in frames.
  bool binary() const { return binary_ != nullptr; }
  /// Of the CR LF behind each message that it publishes.
  size_t tail_bytes() const { return binary() ? 0 : protocol::line_end_bytes; }
  bool echo() const { return echo_; }
  bool no_responders() const { return no_responders_; }
  AccountId account() const { return account_; }
  uint32_t subscriptions() const { return subscriptions_; }
  /// Who it is; nullptr where nobody has to say.
  const UserRef& user() const { return user_; }
  /// Whether a message on this subject may be delivered to a subscription of that queue.
  bool may_receive(std::string_view subject, std::string_view queue) const {
    return user_ == nullptr || user_->permissions == nullptr ||
           user_->permissions->may_receive(subject, queue);
  }
  /// It is delivered a message with a reply subject, which it may have to answer.
  void on_request(std::string_view reply) {
    if (reply_permits_) permit_reply(reply);
  }
  /// Its sends have made progress lately: it is slow, not stuck. One that is the sole receiver of a
  /// message may take longer.
  bool progresses(bool sole);
  /// It has published so much since it was last held that it may be again. Asked once.
  static constexpr uint64_t bite_bytes = 4096;
  bool has_bitten();
  /// Whoever publishes to it has his place in a row, behind those who came before, and takes up so
  /// much time in it. How long he has to wait until then.
  uint16_t place_in_row(uint64_t takes_ns);
  /// Of the subject that it publishes on, if that has come twice.
  RouteMemo& route_memo() {
    if (route_ == nullptr) use_own_route();
    return *route_;
  }
  const core::BlockRef& carried_block() const { return carry_.block(); }
  /// What of the shard's memory it keeps from others.
  size_t held_bytes() const;
  /// Its next command may be acted upon.
  bool ready() const { return pauses_ == 0 && open(); }
  /// More than half of what may wait for it does; it is named once, until it has caught up.
  void warn_of_slowness() {
    if (!slow_warned_) say_slow();
  }
  /// It wants no answer to a publish, whatever its subject.
  bool terse() const { return !verbose_ && !pedantic_; }
  void count_in(size_t messages, size_t bytes) {
    in_messages_ += messages;
    in_bytes_ += bytes;
  }
  void count_out(size_t messages, size_t bytes) {
    uncounted_messages_ += messages;
    uncounted_bytes_ += bytes;
  }
  void flush_later() {
    if (!flush_queued_) enqueue_flush();
  }
  /// Brings its shard's counters up to what was delivered to it.
  void settle_counts();
  /// Fills in what monitoring shows of it.
  void show(ConnectionPicture& picture) const;

  uint32_t slot() const { return slot_; }
  uint32_t generation() const { return generation_; }
  uint64_t cid() const { return cid_; }
  CloseReason close_reason() const { return close_reason_; }
  /// Of its subscriptions, the first; the others are linked to it. For the shard, which takes them
  /// out of the trie when it has closed.
  uint32_t& owned() { return owned_; }
  /// How the log names it: address, port, cid.
  std::string label() const;

 private:
  /// How long a closed client has to take what it is still owed, and then to hang up.
  static constexpr int64_t linger_ns = 2 * core::second_ns;
  /// What is kept of a stranger: most of the 8 KiB that he may cost, the rest being what he is sent
  /// and the connection itself. Behind a CONNECT that helpers look at it is what one receive
  /// brought.
  static constexpr size_t unadmitted_bytes_max = 6 * 1024;
  /// What a paused connection keeps before its receive is cancelled, where the kernel would go on.
  static constexpr size_t kept_bytes_max = 64 * 1024;

  enum class State : uint8_t { open, closing, closed };
  /// What apply() did: all of it; nothing yet; or what the same bytes need not mean again.
  enum class Verdict : uint8_t { done, parked, apart };

  core::Token token(core::OpKind kind) const { return {kind, slot_, generation_}; }

  // Bytes in.
  bool is_stranger() const { return !admitted_ || (tls_ && tls_->stage != TlsLink::Stage::open); }
  bool reads() const { return pauses_ == 0 || only_waits_for_proof(); }
  bool only_waits_for_proof() const;
  bool pause_for_share();
  bool is_held_short() const {
    return !admitted_ && ((pauses_ & pause_proof) == 0 || !admission_->room.taken());
  }
  void on_bytes(std::string_view bytes);
  void end(CloseReason reason, int error);
  void read_on();
  void arm_recv();
  void cancel_recv();
  std::string_view complete_carried(std::string_view bytes);
  bool awaits_proxy_header() const { return proxy_header_due_ns_ != INT64_MAX; }
  bool take_proxy_header(std::string_view& bytes);
  void refuse_proxy_header(std::string_view reason);
  size_t parse(std::string_view input);
  MessageRun repeats(std::string_view input) const;
  void keep(std::string_view bytes);
  void carry(std::string_view bytes, size_t needed_bytes);

  // Frames; connection_frames.cpp.
  bool may_have_framing(std::string_view framing);
  void begin_frames();
  protocol::Limits parser_limits() const;
  void take_parser_limits();
  void forget_permitted();
  size_t parse_frames(std::string_view input);
  size_t take_frame(protocol::Frame& frame, size_t frame_bytes);
  bool find_subject(protocol::Frame& frame);
  size_t publish_messages(const protocol::Frame& frame);
  void append_frame_of(std::string_view line);
  void use_own_route() {
    if (!route_memo_) route_memo_ = std::make_unique<RouteMemo>();
    route_ = route_memo_.get();
  }

  // Commands.
  Verdict apply(const protocol::Command& command);
  void on_connect(const protocol::Command& command);
  void accept_wishes(protocol::ConnectOptions&& options);
  Verdict publish_if_permitted(const protocol::Command& command);
  Verdict deny_publish(const protocol::Command& command, protocol::Refusal refusal,
                       std::string_view denied);
  bool may_subscribe(const protocol::Command& command);
  void on_sub(const protocol::Command& command);
  void on_unsub(const protocol::Command& command);
  void on_ping();
  void on_pong();
  void send_pong();
  void on_interest_changed();
  void acknowledge();

  // Who it is; admission.cpp.
  void await_admission();
  void start_admission_clock();
  bool speaks_before_admission(char first);
  bool identify(protocol::ConnectOptions& options);
  bool admit(const Attempt& attempt);
  UserRef certificate_user() const;
  UserRef user_now() const;
  void refuse_admission(const protocol::ConnectOptions& said = {});
  void leave_account();
  const Permissions* permissions() const {  // nullptr: may do all.
    return user_ == nullptr ? nullptr : user_->permissions.get();
  }
  void take_permissions();
  void admit_anybody();
  bool has_unpinned_certificate() const;
  void on_new_security();
  void prune_subscriptions();
  void permit_reply(std::string_view reply);

  // What lies between it and its socket; transport.cpp.
  const Security& security() const;
  const std::shared_ptr<const TlsContext>& tls_context() const;
  void on_layered(std::string_view bytes);
  void flush_layers();
  void charge_layers();
  void leave_open_count();
  void flush_plain();

  // TLS; transport.cpp.
  bool begin_tls();
  bool may_speak_in_clear() const;
  bool comes_too_fast();
  bool watch_handshake(int64_t now_ns);
  void on_cipher(std::string_view bytes);
  void continue_handshake(std::string_view bytes);
  void read_plain(std::string_view cipher);
  void show_tls(ConnectionPicture& picture) const;
  bool flush_tls();
  void encrypt();
  void on_sent(size_t bytes);
  void on_cipher_sent(size_t bytes);
  bool has_more_to_send() const;

  // WebSocket; websocket_transport.cpp.
  void begin_websocket();
  bool watch_upgrade(int64_t now_ns);
  void on_frames(std::string_view bytes);
  void on_upgrade_request(std::string_view bytes);
  void open_websocket(bool compression);
  size_t read_frames(std::span<char> input);
  void keep_frames(std::string_view bytes);
  void resume_frames();
  void on_control_frame();
  void on_compressed(std::string_view bytes, bool last);
  void inflate();
  void inflate(std::string_view bytes, bool last);
  void hold_compressed(std::string_view rest, bool last);
  void queue_control(std::string frame);
  void fail_frames(protocol::websocket::CloseCode code, std::string_view text);
  protocol::websocket::CloseCode close_code() const;
  void say_close();
  bool flush_frames();
  size_t compress_frame(std::string& out);
  bool encrypt_frames();
  void on_frames_sent(size_t bytes);
  bool has_frames_to_send() const;

  // Bytes out; connection_sends.cpp.
  void submit_send(std::span<const iovec> parts);
  void enqueue_flush();
  void send_line(std::string_view line);

  // Time; connection_clock.cpp.
  void check_later(int64_t due_ns);
  void end_ping_interval(int64_t now_ns);
  void send_ping();

  // The end, and what is said of it; connection_end.cpp.
  void release_if_idle();
  void log_close(int error);
  void say_slow();
  std::string slow_facts() const;
  std::string_view close_text() const;

  Shard& shard_;
  protocol::Parser parser_;
  const uint32_t slot_;
  const uint32_t generation_;
  const int descriptor_;

  State state_ = State::open;
  CloseReason close_reason_ = CloseReason::none;
  CloseReason ended_ = CloseReason::none;  // It sends no more, while it is paused.
  uint8_t ended_error_ = 0;
  uint8_t write_error_ = 0;  // Of the send that failed.
  protocol::Refusal refusal_ = protocol::Refusal::none;
  uint8_t pauses_ = 0;
  uint16_t stall_wanted_ms_ = 0;
  bool recv_armed_ : 1 = false;
  bool recv_cancelled_ : 1 = false;
  bool busy_ : 1 = false;         // Its last read was a large one.
  bool recv_queued_ : 1 = false;  // Waits for a receive buffer.
  bool send_in_flight_ : 1 = false;
  bool flush_queued_ : 1 = false;
  bool lingers_ : 1 = false;   // The client should still read why; see release_if_idle().
  bool said_end_ : 1 = false;  // It will find end of file behind that.
  bool discards_ : 1 = false;  // Nothing more is sent.
  bool verbose_ : 1 = true;
  bool pedantic_ : 1 = true;
  bool echo_ : 1 = true;
  bool headers_ : 1 = false;
  bool no_responders_ : 1 = false;
  bool async_info_ : 1 = false;       // It said protocol 1: it takes INFO at any time.
  bool connected_ : 1 = false;        // It has said CONNECT.
  bool ponged_ : 1 = false;           // It has been sent a PONG.
  bool active_ : 1 = false;           // It has sent something since the last ping was due.
  bool admitted_ : 1 = true;          // It is known who it is, or of no interest.
  bool came_by_default_ : 1 = false;  // It has never said who it is.
  bool restricted_ : 1 = false;       // What it publishes to is checked.
  bool slow_warned_ : 1 = false;
  uint8_t pings_out_ = 0;

  AccountId account_ = global_account;

  uint32_t owned_ = no_subscription;
  uint32_t subscriptions_ = 0;
  size_t subscription_bytes_ = 0;   // On all shards; see Interest::bytes_about().
  uint32_t payload_bytes_max_ = 0;  // Of its account; 0: the server's.
  uint64_t interest_epoch_ = 0;     // As of its last SUB or UNSUB.
  size_t needed_bytes_ = 0;         // Of the command in front of carry_.
  Carry carry_;
  Outbox outbox_;
  std::unique_ptr<RouteMemo> route_memo_;
  RouteMemo* route_ = nullptr;  // That one, or of an alias.
  std::unique_ptr<BinaryLink> binary_;
  std::unique_ptr<TlsLink> tls_;
  std::unique_ptr<WebSocketLink> websocket_;
  std::unique_ptr<Admission> admission_;
  UserRef user_;
  std::unique_ptr<ReplyPermits> reply_permits_;

  int64_t check_due_ns_ = INT64_MAX;
  int64_t ping_due_ns_ = INT64_MAX;
  uint32_t unsent_bytes_ = 0;     // In the kernel, when it was last asked...
  int64_t unsent_asked_ns_ = 0;   // ...and when that was.
  int64_t send_progress_ns_ = 0;  // When the send in flight was begun, or last moved on.
  int64_t row_ends_ns_ = 0;       // Of those who are held for it.
  int64_t linger_until_ns_ = INT64_MAX;
  int64_t ping_sent_ns_ = 0;  // 0: never.
  int64_t rtt_ns_ = 0;
  int64_t since_ns_;

  const uint64_t cid_;
  uint64_t in_messages_ = 0;
  uint64_t in_bytes_ = 0;
  uint64_t out_messages_ = 0;
  uint64_t out_bytes_ = 0;
  uint64_t uncounted_messages_ = 0;  // Delivered since settle_counts().
  uint64_t uncounted_bytes_ = 0;
  uint64_t bitten_at_ = 0;  // What it had published then; see has_bitten().
  uint32_t stalls_ = 0;
  uint32_t share_turn_ = 0;                  // In which it last had a share.
  int64_t stalled_until_ns_ = 0;             // For a subscriber of another shard.
  int64_t proxy_header_due_ns_ = INT64_MAX;  // Before anything else, there may be one.
  int64_t last_activity_ns_ = 0;  // As in nats-server: a message or a subscription, and no PING.
  std::unique_ptr<ClientName> client_name_;
  core::PeerAddress peer_;
};

static_assert(sizeof(Connection) <= 448, "there may be many: the allocator's next size is 512");

}  // namespace peal::server
