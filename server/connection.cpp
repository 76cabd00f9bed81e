#include "server/connection.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "server/shard.hpp"

namespace peal::server {
namespace {

using core::millisecond_ns;
using core::OpKind;

// A read of so much came from a socket that will have more at once.
constexpr size_t busy_bytes = 4096;

constexpr int64_t proxy_header_within_ns = 5 * core::second_ns;  // As in nats-server.

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
  if (shard_.options().proxy_protocol && !peer_.host.empty()) {
    proxy_header_due_ns_ = shard_.now_ns() + proxy_header_within_ns;
    check_later(proxy_header_due_ns_);
  }
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
    if (!may_speak_in_clear() && comes_too_fast()) {
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
  assert(!recv_queued_);
  recv_armed_ = true;
  recv_cancelled_ = false;
  core::Reactor& reactor = shard_.reactor();
  if (is_stranger() || (busy_ && !reactor.ends_recv_at_cap())) {
    reactor.recv_once(descriptor_, token(OpKind::recv));
  } else {
    reactor.recv(descriptor_, token(OpKind::recv));
  }
}

void Connection::arm_recv_if_wanted() {
  recv_queued_ = false;
  const bool wanted =
      open() ? reads() && ended_ == CloseReason::none : lingers_ && state_ == State::closing;
  if (wanted && !recv_armed_) arm_recv();
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
  if (awaits_proxy_header() && !take_proxy_header(bytes)) return;
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
  const bool adds_to_slow = in_messages_ != messages_before && shard_.now_ns() < stalled_until_ns_;
  if (open() && (stall_wanted_ms_ != 0 || adds_to_excess || adds_to_slow)) {
    const uint16_t stall_ms_min = adds_to_excess || adds_to_slow ? Router::stall_ms : 0;
    stall(std::max(stall_wanted_ms_, stall_ms_min));
  }
  if (in_messages_ != messages_before) last_activity_ns_ = shard_.now_ns();
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
  std::string_view published;  // The last subject.
  while (consumed < input.size()) {
    const std::string_view rest(input.data() + consumed, input.size() - consumed);
    if (route_memo_ && route_memo_->may_repeat(rest)) {
      if (const MessageRun run = repeats(rest); run.count > 0) {
        const size_t taken = shard_.router().publish_again(*this, route_memo_->subject(), run);
        parser_.skipped();
        consumed += taken * run.stride_bytes;
        if (taken < run.count || !ready()) break;
        continue;
      }
    }
    if (!admitted_ && !speaks_before_admission(rest.front())) break;
    const protocol::Step step = parser_.next(rest, command);
    if (step.kind == protocol::StepKind::need_more) {
      needed_bytes_ = step.needed_bytes;
      break;
    }
    if (step.kind == protocol::StepKind::refused) {
      refuse(step.refusal);
      break;
    }
    if (!protocol::publishes(command.kind)) shard_.router().end_stretch();
    const Verdict verdict = apply(command);
    if (verdict == Verdict::parked) break;
    if (protocol::publishes(command.kind)) published = command.subject;
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
  shard_.router().end_stretch();
  if (route_memo_ && !published.empty()) route_memo_->name(published);
  return consumed;
}

// Messages that came by the same control line as the one before. A trace has to see them one by
// one.
MessageRun Connection::repeats(std::string_view input) const {
  if (shard_.tracing()) return {};
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
  if (websocket_) [[unlikely]] {
    resume_frames();
    charge_layers();
  }
  read_on();
}

void Connection::wait_for_share() {
  if (pause_for_share()) shard_.wait_for_share(*this);
}

void Connection::wait_for_turn() {
  if (pause_for_share()) shard_.wait_for_turn(*this);
}

bool Connection::pause_for_share() {
  if (!open() || (pauses_ & pause_share) != 0) return false;
  pauses_ |= pause_share;
  return true;
}

bool Connection::has_bitten() {
  constexpr uint64_t line_bytes = 16;
  const uint64_t published = in_bytes_ + line_bytes * in_messages_;
  if (published - bitten_at_ < bite_bytes) return false;
  bitten_at_ = published;
  return true;
}

void Connection::stall(uint16_t stall_ms) {
  stall_wanted_ms_ = 0;
  if (!open() || (pauses_ & pause_stall) != 0) return;
  pauses_ |= pause_stall;
  stalls_++;
  shard_.stats().stalls++;
  shard_.resume_at(*this, shard_.now_ns() + stall_ms * millisecond_ns);
}

void Connection::stall_for_other_shard(uint16_t stall_ms) {
  constexpr int64_t said_again_ns = 50 * millisecond_ns;
  stalled_until_ns_ = shard_.now_ns() + said_again_ns;
  stall(stall_ms);
}

}  // namespace peal::server
