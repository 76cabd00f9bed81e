// What a connection has a time for: pings, deadlines, what it may take to come in and to leave.

#include "protocol/writer.hpp"
#include "server/connection.hpp"
#include "server/shard.hpp"

namespace peal::server {

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
  if (awaits_proxy_header()) {
    if (now_ns >= proxy_header_due_ns_) return refuse_proxy_header("it has not come in time");
    check_later(proxy_header_due_ns_);
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
  put_off(proxy_header_due_ns_);
  if (admission_) put_off(admission_->due_ns);
  if (tls_) put_off(tls_->due_ns), put_off(tls_->info_due_ns);
  if (websocket_) put_off(websocket_->due_ns);
}

void Connection::end_ping_interval(int64_t now_ns) {
  constexpr int64_t rtt_valid_ns = 3600 * core::second_ns;
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

}  // namespace peal::server
