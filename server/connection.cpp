#include "server/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/clock.hpp"
#include "protocol/writer.hpp"
#include "server/shard.hpp"
#include "server/trace.hpp"
#include "server/watch.hpp"

namespace peal::server {
namespace {

using core::OpKind;

using core::millisecond_ns;
using core::second_ns;

// One send takes so much at most: more would hide for long whether a subscriber makes progress.
constexpr size_t send_bytes_max = 512 * 1024;
constexpr size_t send_parts_max = 16;

// A send that has not moved for so long holds up no publisher who has other subscribers to serve;
// and after the longer time none at all, even where it is the only one to get the message: to hold
// such a publisher harms nobody else, and an honest reader may pause.
constexpr int64_t stuck_after_ns = 100'000'000;
constexpr int64_t sole_stuck_after_ns = second_ns;

// For one that is slow and gets its messages alone a publisher is held for so long at most.
constexpr int64_t held_ns_max = second_ns;

// A send in flight moves on when much of the kernel's own buffer is free, which may be a megabyte
// later. In between the kernel is asked how much of it the client has taken.
constexpr int64_t unsent_asked_every_ns = 25'000'000;

// How long a closed client has to take what it is still owed, and then to hang up.
constexpr int64_t linger_ns = 2 * second_ns;

// A read of so much came from a socket that will have more at once.
constexpr size_t busy_bytes = 4096;

// What is kept of a stranger: most of the 8 KiB that he may cost, the rest being what he is sent
// and the connection itself. Behind a CONNECT that helpers look at it is what one receive brought.
constexpr size_t unadmitted_bytes_max = 6 * 1024;

// What a paused connection keeps before its receive is cancelled, where the kernel would go on.
constexpr size_t kept_bytes_max = 64 * 1024;

// One that was slow has caught up when so small a part of max_pending waits for it.
constexpr uint64_t caught_up_part = 4;

// Of a name and of a subject, in a line of the log; and subscriptions that are looked at for it.
constexpr int said_bytes_max = 128;
constexpr unsigned subscriptions_seen_max = 1024;

bool drops_output(CloseReason reason) {
  switch (reason) {
    case CloseReason::read_error:
    case CloseReason::write_error:
    case CloseReason::slow_consumer_pending:
    case CloseReason::slow_consumer_write_deadline:
    case CloseReason::memory_budget:
    case CloseReason::out_of_memory:
      return true;
    case CloseReason::none:
    case CloseReason::client_closed:
    case CloseReason::refused:
    case CloseReason::stale_connection:
    case CloseReason::connections_exceeded:
    case CloseReason::lame_duck:
    case CloseReason::server_shutdown:
    case CloseReason::tls_handshake:
    case CloseReason::websocket_upgrade:
      return false;
  }
  __builtin_unreachable();
}

// Whether the client is given time to read why, and to hang up by itself. One that closed first
// needs none, and a server that goes has none.
bool waits_for_end(CloseReason reason) {
  return reason == CloseReason::refused || reason == CloseReason::stale_connection ||
         reason == CloseReason::connections_exceeded || reason == CloseReason::tls_handshake ||
         reason == CloseReason::websocket_upgrade;
}

}  // namespace

Connection::Connection(Shard& shard, uint32_t slot, uint32_t generation, int descriptor,
                       uint64_t cid, core::PeerAddress peer, Door door)
    : shard_(shard),
      parser_({shard.options().limits.control_line_bytes_max,
               shard.options().limits.payload_bytes_max}),
      slot_(slot),
      generation_(generation),
      descriptor_(descriptor),
      websocket_(door == Door::websocket ? std::make_unique<WebSocketLink>() : nullptr),
      since_ns_(shard.now_ns()),
      cid_(cid),
      peer_(std::move(peer)) {}

void Connection::start() {
  shard_.log().debug("{} - Client connection created", label());
  awaits_proxy_header_ = shard_.options().proxy_protocol && !peer_.host.empty();
  if (awaits_proxy_header_) check_later(proxy_header_due_ns());
  if (security().auth_required()) await_admission();
  if (websocket_) begin_websocket();
  const TlsContext* const tls = tls_context().get();
  if (tls == nullptr) {
    if (!websocket_) {
      start_admission_clock();
      send_info(false);
    }
  } else {
    if (begin_tls()) send_info(false);
    if (!shard_.state().tls_rate.permits(shard_.now_ns(),
                                         tls->options().connections_per_second_max)) {
      refuse(protocol::Refusal::connection_throttled);
    }
  }
  const int64_t interval_ns = shard_.options().ping_interval.count();
  ping_due_ns_ = since_ns_ + interval_ns;
  check_later(ping_due_ns_);
  if (open()) arm_recv();
}

// ---- Bytes in.

// A stranger is read from one buffer at a time: what comes while helpers have to do with him stays
// with the kernel.
void Connection::arm_recv() {
  assert(!recv_armed_);
  recv_queued_ = false;
  recv_armed_ = true;
  recv_cancelled_ = false;
  core::Reactor& reactor = shard_.reactor();
  if (is_stranger() || (busy_ && !reactor.ends_recv_at_cap())) {
    reactor.recv_once(descriptor_, token(OpKind::recv));
  } else {
    reactor.recv(descriptor_, token(OpKind::recv));
  }
}

void Connection::cancel_recv() {
  if (!recv_armed_ || recv_cancelled_) return;
  recv_cancelled_ = true;
  shard_.reactor().cancel(token(OpKind::recv));
}

// Bytes came, or the receive ended: with an error, or because the kernel had other sockets to
// serve.
void Connection::on_recv(const core::Completion& done) {
  assert(recv_armed_);
  if (!done.more) recv_armed_ = false;

  if (state_ != State::open) {
    // Lingering: what comes is not read, but to refuse it would cost the client our last words.
    if (lingers_ && !recv_armed_ && done.result > 0) arm_recv();
    return release_if_idle();
  }
  if (done.result > 0) {
    active_ = true;
    read_ns_ = shard_.now_ns();
    busy_ = done.bytes.size() >= busy_bytes;
    if (busy_ && !shard_.reactor().ends_recv_at_cap()) cancel_recv();
    if (tls_ || websocket_) [[unlikely]] {
      on_layered(done.bytes);
    } else {
      on_bytes(done.bytes);
    }
  } else {
    switch (-done.result) {
      case 0:
        return end(CloseReason::client_closed, 0);
      case ENOBUFS:  // The shard ran dry of buffers: no fault of the peer's.
        if (!recv_armed_ && !recv_queued_) {
          recv_queued_ = true;
          shard_.recv_later(*this);
        }
        return;
      case ECANCELED:  // We paused, and may have been resumed since.
      case EINTR:
      case EAGAIN:
        break;
      default:
        return end(CloseReason::read_error, -done.result);
    }
  }
  read_on();
}

// A stranger has said who he is, and nothing else. He is read from all the same: should he leave,
// helpers need not look whether it is true.
bool Connection::only_waits_for_proof() const {
  return pauses_ == pause_proof && !admitted_ && carry_.empty() &&
         (!websocket_ || websocket_->has_read_all());
}

// The client has said all it will. What it said before is still acted upon, though we may have
// paused in the middle of it.
void Connection::end(CloseReason reason, int error) {
  if (write_error_ != 0) reason = CloseReason::write_error, error = write_error_;
  if (reads()) return close(reason, error);
  ended_ = reason;
  ended_error_ = static_cast<uint8_t>(error);
}

void Connection::read_on() {
  if (!open() || !reads()) return;
  if (ended_ != CloseReason::none) return close(ended_, ended_error_);
  if (!recv_armed_ && !recv_queued_) arm_recv();
}

void Connection::on_bytes(std::string_view bytes) {
  const uint64_t messages_before = in_messages_;
  const uint64_t bytes_before = in_bytes_;
  if (pauses_ != 0) return keep(bytes);
  shard_.budget().begin_share(share_turn_);
  if (awaits_proxy_header_ && !take_proxy_header(bytes)) return;
  bytes = complete_carried(bytes);
  if (open() && pauses_ == 0 && !bytes.empty()) {
    bytes.remove_prefix(parse(bytes));
    if (open() && pauses_ == 0 && !bytes.empty()) {
      carry(bytes, needed_bytes_);
      bytes = {};
    }
  }
  if (open() && !bytes.empty()) keep(bytes);
  const bool adds_to_excess = shard_.over_budget() && in_messages_ != messages_before;
  if (open() && (stall_wanted_ms_ != 0 || adds_to_excess)) {
    stall(adds_to_excess ? std::max(stall_wanted_ms_, Router::stall_ms) : stall_wanted_ms_);
  }
  shard_.stats().in_messages += in_messages_ - messages_before;
  shard_.stats().in_bytes += in_bytes_ - bytes_before;
}

// Brings the command that was cut by an earlier read to its end, and no more than that: what
// follows it is parsed where it lies. Returns what is left of `bytes`.
std::string_view Connection::complete_carried(std::string_view bytes) {
  while (open() && pauses_ == 0 && !carry_.empty()) {
    const size_t have = carry_.size();
    if (needed_bytes_ > have) {
      if (bytes.empty()) return bytes;
      size_t wanted = needed_bytes_ - have;
      if (wanted == 1 && !binary()) {  // A line, which goes on to its end.
        const void* newline = std::memchr(bytes.data(), '\n', bytes.size());
        wanted = newline == nullptr
                     ? bytes.size()
                     : static_cast<size_t>(static_cast<const char*>(newline) - bytes.data()) + 1;
      }
      wanted = std::min(wanted, bytes.size());
      carry(bytes.substr(0, wanted), needed_bytes_);
      bytes.remove_prefix(wanted);
      // With the last byte alone missing the end of a message may show already to be none. Who
      // sends it whole is told so at once, so who sends it in pieces is as well.
      if (carry_.size() + 1 < needed_bytes_) return bytes;
    }
    const size_t consumed = parse(carry_.bytes());
    if (open()) carry_.consume(shard_.pool(), consumed);
  }
  return bytes;
}

// Parses and acts, command by command. One of them may close this connection or pause it, so that
// is asked after each.
size_t Connection::parse(std::string_view input) {
  if (binary()) return parse_frames(input);
  size_t consumed = 0;
  needed_bytes_ = 0;
  protocol::Command command;
  while (consumed < input.size()) {
    if (const MessageRun run = repeats(input.substr(consumed)); run.count > 0) {
      const size_t taken = shard_.router().publish_again(*this, route_memo_->subject(), run);
      parser_.skipped();
      consumed += taken * run.stride_bytes;
      if (taken < run.count || !ready()) break;
      continue;
    }
    if (!admitted_ && !speaks_before_admission(input[consumed])) break;
    const protocol::Step step = parser_.next(input.substr(consumed), command);
    if (step.kind == protocol::StepKind::need_more) {
      needed_bytes_ = step.needed_bytes;
      break;
    }
    if (step.kind == protocol::StepKind::refused) {
      refuse(step.refusal);
      break;
    }
    const Verdict verdict = apply(command);
    if (verdict == Verdict::parked) break;
    if (command.kind == protocol::CommandKind::pub && command.reply.empty() &&
        verdict == Verdict::done) {
      const size_t line_bytes =
          static_cast<size_t>(command.message.data() - input.data()) - consumed;
      route_memo_->remember_line(input.substr(consumed, line_bytes), command.message.size());
    }
    consumed += step.consumed_bytes;
    if (!ready()) break;
    if (command.kind == protocol::CommandKind::connect && binary()) {
      return consumed + parse_frames(input.substr(consumed));
    }
  }
  return consumed;
}

// Messages that came by the same control line as the one before. A trace has to see them one by
// one.
MessageRun Connection::repeats(std::string_view input) const {
  if (!route_memo_ || shard_.tracing()) return {};
  const RouteMemo& memo = *route_memo_;
  return {input.data() + memo.line_bytes(), memo.line_stride_bytes(), memo.line_message_bytes(),
          memo.count_repeats(input)};
}

void Connection::carry(std::string_view bytes, size_t needed_bytes) {
  if (is_held_short() && carry_.size() + bytes.size() > unadmitted_bytes_max) {
    return refuse(protocol::Refusal::control_line_exceeded);
  }
  if (!carry_.append(shard_.pool(), bytes, needed_bytes)) close(CloseReason::out_of_memory);
}

// A paused connection's bytes wait in the carry. There is a bound to that without any further word
// to the kernel where a receive ends by itself after one cap; elsewhere it is told to end.
void Connection::keep(std::string_view bytes) {
  carry(bytes, carry_.size() + bytes.size());
  needed_bytes_ = 0;
  if (open() && carry_.size() > kept_bytes_max) cancel_recv();
}

// ---- Pauses.

void Connection::resume(Pause pause) {
  if ((pauses_ & pause) == 0) return;
  pauses_ &= static_cast<uint8_t>(~pause);
  if (!open() || pauses_ != 0) return;
  on_bytes({});
  if (websocket_) [[unlikely]]
    resume_frames();
  read_on();
}

void Connection::wait_for_share() {
  if (!open() || (pauses_ & pause_share) != 0) return;
  pauses_ |= pause_share;
  shard_.wait_for_share(*this);
}

void Connection::wait_for_turn() {
  if (!open() || (pauses_ & pause_share) != 0) return;
  pauses_ |= pause_share;
  shard_.wait_for_turn(*this);
}

void Connection::stall(uint16_t stall_ms) {
  stall_wanted_ms_ = 0;
  if (!open() || (pauses_ & pause_stall) != 0) return;
  pauses_ |= pause_stall;
  stalls_++;
  shard_.stats().stalls++;
  shard_.resume_at(*this, shard_.now_ns() + stall_ms * millisecond_ns);
}

// ---- Bytes out.

void Connection::enqueue_flush() {
  flush_queued_ = true;
  shard_.flush_later(*this);
}

void Connection::flush() {
  flush_queued_ = false;
  settle_counts();
  if (send_in_flight_) return;
  if (discards_) outbox_.clear(shard_.pool());
  if (tls_ || websocket_) [[unlikely]]
    return flush_layers();
  flush_plain();
}

void Connection::flush_plain() {
  if (outbox_.empty()) {
    if (state_ == State::closing) release_if_idle();
    return;
  }
  std::array<iovec, send_parts_max> parts;
  const size_t count = outbox_.gather(parts, send_bytes_max);
  submit_send({parts.data(), count});
}

void Connection::submit_send(std::span<const iovec> parts) {
  send_in_flight_ = true;
  send_progress_ns_ = shard_.now_ns();
  check_later(send_progress_ns_ + shard_.options().write_deadline.count());
  shard_.reactor().send(descriptor_, parts, token(OpKind::send));
}

void Connection::settle_counts() {
  out_messages_ += uncounted_messages_;
  out_bytes_ += uncounted_bytes_;
  shard_.stats().out_messages += std::exchange(uncounted_messages_, 0);
  shard_.stats().out_bytes += std::exchange(uncounted_bytes_, 0);
}

void Connection::on_send(const core::Completion& done) {
  assert(send_in_flight_);
  send_in_flight_ = false;
  const bool again = done.result == -EINTR || done.result == -EAGAIN;
  if (done.result <= 0 && !again) {
    // The connection is dead, but what it sent before may not have been read yet. The receive ends
    // by itself when that is done; should it not, the timer closes.
    discards_ = true;
    write_error_ = static_cast<uint8_t>(-done.result);
    linger_until_ns_ = shard_.now_ns() + linger_ns;
    check_later(linger_until_ns_);
    if (!open()) release_if_idle();
    return;
  }
  if (!again) on_sent(static_cast<size_t>(done.result));
  if (slow_warned_) {
    const uint64_t pending_max = shard_.options().limits.pending_bytes_max;
    slow_warned_ = outbox_.pending_bytes() > pending_max / caught_up_part;
  }
  if (has_more_to_send() && !discards_) return flush_later();
  if (state_ == State::closing) release_if_idle();
}

void Connection::on_sent(size_t bytes) {
  send_progress_ns_ = shard_.now_ns();
  // What was sent before there was a session was sent in clear.
  if (tls_ && !tls_->sending.empty()) {
    on_cipher_sent(bytes);
  } else if (websocket_) [[unlikely]] {
    on_frames_sent(bytes);
  } else {
    outbox_.advance(shard_.pool(), bytes);
  }
}

bool Connection::progresses(bool sole) {
  const int64_t now_ns = shard_.now_ns();
  if (!send_in_flight_ || now_ns - send_progress_ns_ < unsent_asked_every_ns) return true;
  if (now_ns - unsent_asked_ns_ >= unsent_asked_every_ns) {
    const uint32_t unsent_bytes = shard_.reactor().unsent_bytes(descriptor_);
    if (unsent_asked_ns_ > send_progress_ns_ && unsent_bytes < unsent_bytes_) {
      send_progress_ns_ = now_ns;
    }
    unsent_bytes_ = unsent_bytes;
    unsent_asked_ns_ = now_ns;
  }
  return now_ns - send_progress_ns_ < (sole ? sole_stuck_after_ns : stuck_after_ns);
}

uint16_t Connection::place_in_row(uint64_t takes_ns) {
  const int64_t now_ns = shard_.now_ns();
  const int64_t longest_ns = now_ns + held_ns_max;
  row_ends_ns_ = std::max(row_ends_ns_, now_ns);
  row_ends_ns_ +=
      std::min(static_cast<int64_t>(takes_ns), longest_ns - std::min(row_ends_ns_, longest_ns));
  return static_cast<uint16_t>((row_ends_ns_ - now_ns) / millisecond_ns);
}

void Connection::send_line(std::string_view line) {
  if (shard_.traces(*this, {})) trace_sent(shard_.log(), label(), line);
  if (binary()) {
    append_frame_of(line);
  } else {
    outbox_.append(shard_.pool(), line);
  }
  if (outbox_.pending_bytes() > shard_.options().limits.pending_bytes_max) {
    return close(CloseReason::slow_consumer_pending);
  }
  flush_later();
}

void Connection::send_info(bool connect_info) {
  protocol::Info info = shard_.settings().info;
  info.client_id = cid_;
  if (!awaits_proxy_header_) info.client_ip = peer_.host;
  info.connect_info = connect_info;
  const Security& security = this->security();
  if (websocket_) {
    const ListenAddress& address = shard_.settings().websocket.address;
    info.host = address.host;
    info.port = static_cast<uint16_t>(address.port);
  }
  if (const TlsContext* const tls = tls_context().get()) {
    const bool optional = shard_.options().security.allow_non_tls && !websocket_;
    info.tls_required = !optional;
    info.tls_available = optional;
    info.tls_verify = tls->options().verify || tls->options().verify_and_map;
  }
  const bool overridden = websocket_ && shard_.options().websocket.overrides_authorization();
  info.auth_required =
      security.auth_required() && (connect_info || overridden || !security.default_user());
  if (admission_) info.nonce = admission_->nonce;
  if (connect_info) info.remote_account = security.account(account_)->name;
  if (payload_bytes_max_ != 0) info.max_payload = payload_bytes_max_;
  info.ldm = shard_.state().phase.load(std::memory_order_relaxed) == Phase::lame_duck;
  send_line(protocol::info_line(info));
}

// What is remembered of a line was decided by the old limits. Deadlines that are nearer now count.
void Connection::on_new_settings(bool info_changed) {
  const Options& options = shard_.options();
  take_parser_limits();
  if (route_memo_) route_memo_->forget_line();
  on_new_security();
  if (!open()) return;
  if (send_in_flight_) check_later(send_progress_ns_ + options.write_deadline.count());
  ping_due_ns_ = std::min(ping_due_ns_, shard_.now_ns() + options.ping_interval.count());
  check_later(ping_due_ns_);
  if (info_changed && takes_info()) send_info(false);
}

// ---- Time.

void Connection::check_later(int64_t due_ns) {
  if (due_ns >= check_due_ns_) return;
  check_due_ns_ = due_ns;
  shard_.timers().set(slot_, due_ns);
}

void Connection::on_timer() {
  const int64_t now_ns = shard_.now_ns();
  check_due_ns_ = INT64_MAX;
  if (state_ == State::closing) {
    if (now_ns < linger_until_ns_) return check_later(linger_until_ns_);
    return abandon();
  }
  if (state_ != State::open) return;
  if (tls_ && watch_handshake(now_ns)) return;
  if (websocket_ && watch_upgrade(now_ns)) return;
  if (admission_) {
    if (now_ns >= admission_->due_ns) {
      shard_.stats().admissions_refused++;
      return refuse(protocol::Refusal::authentication_timeout);
    }
    check_later(admission_->due_ns);
  }
  if (write_error_ != 0) {
    if (now_ns >= linger_until_ns_) return close(CloseReason::write_error, write_error_);
    check_later(linger_until_ns_);
  }
  if (awaits_proxy_header_) {
    if (now_ns >= proxy_header_due_ns()) return refuse_proxy_header("it has not come in time");
    check_later(proxy_header_due_ns());
  }
  if (send_in_flight_) {
    const int64_t due_ns = send_progress_ns_ + shard_.options().write_deadline.count();
    if (now_ns >= due_ns) return close(CloseReason::slow_consumer_write_deadline);
    check_later(due_ns);
  }
  if (now_ns >= ping_due_ns_) end_ping_interval(now_ns);
  if (open()) check_later(ping_due_ns_);
}

void Connection::give_time_again(int64_t held_ns) {
  const auto put_off = [held_ns](int64_t& due_ns) {
    if (due_ns != INT64_MAX) due_ns += held_ns;
  };
  if (send_in_flight_) send_progress_ns_ = shard_.now_ns();
  ping_due_ns_ = shard_.now_ns() + shard_.options().ping_interval.count();
  put_off(linger_until_ns_);
  if (admission_) put_off(admission_->due_ns);
  if (tls_) put_off(tls_->due_ns), put_off(tls_->info_due_ns);
  if (websocket_) put_off(websocket_->due_ns);
}

void Connection::end_ping_interval(int64_t now_ns) {
  constexpr int64_t rtt_valid_ns = 3600 * second_ns;
  ping_due_ns_ = now_ns + shard_.options().ping_interval.count();
  // Who talks is alive, and who is paused cannot talk. But the round trip is to be known, so one
  // who has not been asked for long is asked all the same.
  const bool heard = active_ || pauses_ != 0;
  const bool rtt_wanted = ping_sent_ns_ == 0 || now_ns - ping_sent_ns_ >= rtt_valid_ns;
  active_ = false;
  if (heard && (pings_out_ > 0 || !rtt_wanted)) return;
  if (pings_out_ + 1 > shard_.options().ping_max) {
    if (pauses_ == 0) return refuse(protocol::Refusal::stale_connection);
    return;
  }
  send_ping();
}

void Connection::send_ping() {
  pings_out_++;
  ping_sent_ns_ = shard_.now_ns();
  send_line(protocol::ping_line);
}

// ---- The end.

void Connection::refuse(protocol::Refusal refusal,
                        std::initializer_list<std::string_view> details) {
  const protocol::RefusalFacts& facts = protocol::facts(refusal);
  const std::string line = protocol::err_line(refusal, details);
  if (!line.empty()) send_line(line);
  if (!facts.closes || !open()) return;
  refusal_ = refusal;
  switch (refusal) {
    case protocol::Refusal::stale_connection:
      return close(CloseReason::stale_connection);
    case protocol::Refusal::connections_exceeded:
      return close(CloseReason::connections_exceeded);
    default:
      return close(CloseReason::refused);
  }
}

// Every failure ends here, so nothing may be freed or unlinked: a publish may be walking our
// subscriptions. What was appended is still sent, for it may be the -ERR that says why; a timer
// bounds that.
void Connection::close(CloseReason reason, int error) {
  assert(reason != CloseReason::none);
  if (!open()) return;
  state_ = State::closing;
  close_reason_ = reason;
  leave_account();
  if (admission_) {
    admission_->proof.reset();
    admission_->room.leave();
  }
  shard_.stats().closed[static_cast<size_t>(reason)]++;
  log_close(error);
  shard_.remember_closed(*this);

  discards_ = discards_ || drops_output(reason);
  lingers_ = !discards_ && waits_for_end(reason);
  if (!lingers_) cancel_recv();
  if (send_in_flight_ && discards_) shard_.reactor().cancel(token(OpKind::send));
  if (!recv_armed_ && lingers_ && !recv_queued_) arm_recv();
  linger_until_ns_ = shard_.now_ns() + linger_ns;
  check_later(linger_until_ns_);
  shard_.forget_later(*this);
  flush_later();
}

void Connection::abandon() {
  close(CloseReason::server_shutdown);
  discards_ = true;
  lingers_ = false;
  cancel_recv();
  if (send_in_flight_) shard_.reactor().cancel(token(OpKind::send));
  release_if_idle();
}

void Connection::release_if_idle() {
  if (state_ != State::closing || send_in_flight_) return;
  if (!discards_ && has_more_to_send()) return flush_later();
  if (recv_armed_ && lingers_) {
    // All is sent. To close with bytes unread would reset the connection and could take the -ERR
    // from under the client's eyes, so it reads end of file first and hangs up by itself.
    if (!said_end_) shard_.reactor().shutdown_send(descriptor_);
    said_end_ = true;
    return;
  }
  if (recv_armed_) return cancel_recv();
  outbox_.clear(shard_.pool());
  carry_.clear(shard_.pool());
  if (websocket_) websocket_->kept.clear(shard_.pool());
  shard_.timers().clear(slot_);
  shard_.reactor().close(descriptor_);
  state_ = State::closed;
  shard_.forget_later(*this);
}

std::string Connection::label() const {
  if (peer_.host.empty()) return fmt::format("unix - cid:{}", cid_);
  // As in nats-server: a WebSocket has a cid like any other, which is called wid here.
  return fmt::format("{}:{} - {}:{}", peer_.host, peer_.port, websocket_ ? "wid" : "cid", cid_);
}

std::string_view Connection::close_text() const {
  return refusal_ == protocol::Refusal::none ? text_of(close_reason_)
                                             : protocol::facts(refusal_).close_reason;
}

void Connection::show(ConnectionPicture& picture) const {
  static const ClientName nameless;
  const ClientName& client = client_name_ ? *client_name_ : nameless;
  picture.cid = cid_;
  picture.slot = slot_;
  picture.generation = generation_;
  picture.port = peer_.port;
  picture.open = open();
  picture.websocket = websocket_ != nullptr;
  picture.close_reason = close_reason_;
  picture.subscriptions = subscriptions_;
  picture.stalls = stalls_;
  picture.start_ns = since_ns_;
  picture.active_ns = std::max({since_ns_, read_ns_, send_progress_ns_});
  picture.stop_ns = 0;
  picture.rtt_ns = rtt_ns_;
  picture.pending_bytes = outbox_.pending_bytes();
  picture.slow = picture.pending_bytes > shard_.options().limits.pending_bytes_max / 2;
  picture.in_messages = in_messages_;
  picture.in_bytes = in_bytes_;
  picture.out_messages = out_messages_ + uncounted_messages_;
  picture.out_bytes = out_bytes_ + uncounted_bytes_;
  picture.host = peer_.host;
  picture.account = shard_.security().account(account_)->name;
  picture.user = user_ ? user_->name : std::string();
  picture.name = client.name;
  picture.lang = client.lang;
  picture.version = client.version;
  picture.reason = close_text();
  picture.last_subject = route_ != nullptr ? route_->subject() : std::string_view();
  show_tls(picture);
}

void Connection::say_slow() {
  slow_warned_ = true;
  shard_.stats().slow_warnings++;
  if (!shard_.may_warn()) return;
  shard_.log().warning("{} - Slow Consumer, of {} bytes allowed: {}", label(),
                       shard_.options().limits.pending_bytes_max, slow_facts());
}

// What an operator needs to find it: its own name, and what it gets most of.
std::string Connection::slow_facts() const {
  const Interest& interest = shard_.interest();
  uint32_t most = no_subscription;
  unsigned seen = 0;
  for (uint32_t id = owned_; id != no_subscription && seen < subscriptions_seen_max; seen++) {
    const Subscription& subscription = *interest.at(id);
    if (most == no_subscription || subscription.delivered > interest.at(most)->delivered) most = id;
    id = Interest::next_owned(subscription);
  }
  std::string text = fmt::format("{} bytes pending", outbox_.pending_bytes());
  if (client_name_ && !client_name_->name.empty()) {
    text += fmt::format(", name \"{:.{}}\"", client_name_->name, said_bytes_max);
  }
  if (most != no_subscription) {
    text += fmt::format(", mostly on \"{:.{}}\"", interest.filter_of(*interest.at(most)),
                        said_bytes_max);
  }
  return text;
}

void Connection::log_close(int error) {
  core::Log& log = shard_.log();
  const std::string_view reason = close_text();
  switch (close_reason_) {
    case CloseReason::slow_consumer_pending:
    case CloseReason::slow_consumer_write_deadline:
    case CloseReason::memory_budget:
      log.warning("{} - {}: {}", label(), reason, slow_facts());
      return;
    case CloseReason::out_of_memory:
      log.warning("{} - {}", label(), reason);
      return;
    default:
      if (!log.enabled(core::Level::debug)) return;
      if (error != 0) {
        log.debug("{} - Client connection closed: {}: {}", label(), reason, std::strerror(error));
      } else {
        log.debug("{} - Client connection closed: {}", label(), reason);
      }
  }
}

}  // namespace peal::server
