// How a connection ends, and what is said of it: in the log, and to who watches.

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "core/error_text.hpp"
#include "server/connection.hpp"
#include "server/shard.hpp"
#include "server/watch.hpp"

namespace peal::server {
namespace {

using core::OpKind;

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
  if (!is_surplus()) leave_open_count();
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

void Connection::leave_open_count() {
  shard_.state().shard_words[shard_.id()].open.fetch_sub(1, std::memory_order_relaxed);
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

size_t Connection::held_bytes() const {
  size_t bytes = outbox_.pending_bytes() + carry_.size() + subscription_bytes_;
  if (tls_) bytes += tls_->charge.bytes();
  if (websocket_) bytes += websocket_->kept.size() + websocket_->charge.bytes();
  if (binary_) bytes += binary_->aliases.bytes();
  if (reply_permits_) bytes += reply_permits_->bytes();
  return bytes;
}

std::string Connection::label() const {
  if (peer_.host.empty()) return fmt::format("unix - cid:{}", cid_);
  // As in nats-server: a WebSocket has a cid like any other, which is called wid here.
  if (!websocket_) return fmt::format("{}:{} - cid:{}", peer_.host, peer_.port, cid_);
  return fmt::format("{}{}:{} - wid:{}", websocket_->client_ip ? *websocket_->client_ip : "",
                     peer_.host, peer_.port, cid_);
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
  picture.active_ns = std::max(since_ns_, last_activity_ns_);
  picture.stop_ns = 0;
  picture.rtt_ns = rtt_ns_;
  picture.pending_bytes = outbox_.pending_bytes();
  picture.slow = shard_.is_slow(*this);
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
        log.debug("{} - Client connection closed: {}: {}", label(), reason,
                  core::error_text(error));
      } else {
        log.debug("{} - Client connection closed: {}", label(), reason);
      }
  }
}

}  // namespace peal::server
