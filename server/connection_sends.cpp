// What goes out: how much at a time, whether it is taken, and the lines that the server says of its
// own accord. TLS and WebSocket are in transport.cpp and websocket_transport.cpp.

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

#include "protocol/writer.hpp"
#include "server/connection.hpp"
#include "server/shard.hpp"
#include "server/trace.hpp"

namespace peal::server {
namespace {

using core::millisecond_ns;
using core::OpKind;
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
constexpr int64_t held_ns_max = second_ns / 2;

// A send in flight moves on when much of the kernel's own buffer is free, which may be a megabyte
// later. In between the kernel is asked how much of it the client has taken.
constexpr int64_t unsent_asked_every_ns = 25'000'000;

// One that was slow has caught up when so small a part of max_pending waits for it.
constexpr uint64_t caught_up_part = 4;

}  // namespace

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
  assert(state_ != State::closed);
  send_in_flight_ = true;
  send_progress_ns_ = shard_.now_ns();
  check_later(send_progress_ns_ + shard_.options().write_deadline.count());
  shard_.reactor().send(descriptor_, parts, token(OpKind::send));
}

void Connection::settle_counts() {
  if (uncounted_messages_ > 0) last_activity_ns_ = shard_.now_ns();
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
    if (!shard_.is_slow(*this)) row_ends_ns_ = 0;
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
  const int64_t behind_ns = std::max(row_ends_ns_, now_ns) + static_cast<int64_t>(takes_ns);
  row_ends_ns_ = std::min(behind_ns, now_ns + held_ns_max);
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
  if (!awaits_proxy_header()) info.client_ip = peer_.host;
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
    info.tls_verify = tls->options().asks_for_certificate();
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

}  // namespace peal::server
