// What a WebSocket is sent: bytes of the outbox in frames, compressed or not, and what goes between
// them. How frames come in is in websocket_transport.cpp.

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "server/connection.hpp"
#include "server/shard.hpp"

namespace peal::server {

using protocol::websocket::CloseCode;
using protocol::websocket::Opcode;
using Stage = WebSocketLink::Stage;

namespace {

// One frame has so much at most, and one send.
constexpr size_t frame_bytes_max = 512 * 1024;
constexpr size_t parts_max = 14;  // And what stands between frames, and a part that it divides.

// So much is compressed at a time, and only what is worth it: nats-server's threshold.
constexpr size_t compress_bytes_max = 64 * 1024;
constexpr size_t compress_bytes_min = 65;

// What an idle connection keeps of the memory that it last sent from.
constexpr size_t kept_capacity_max = 128;

void append_head(std::string& out, size_t bytes, bool compressed) {
  char head[protocol::websocket::server_head_bytes_max];
  out.append(head, protocol::websocket::write_head(head, Opcode::binary, bytes, compressed));
}

}  // namespace

// Between bytes of the outbox stand heads and control frames. True when something is on its way.
bool Connection::flush_frames() {
  WebSocketLink& link = *websocket_;
  if (discards_) return false;
  const bool between_frames = link.frame_left == 0 && link.between.empty();
  if (link.sending.empty() && link.compresses && between_frames && link.stage == Stage::open &&
      outbox_.pending_bytes() >= compress_bytes_min) {
    link.sending = std::exchange(link.control, {});
    link.sent_bytes = 0;
    link.plain_bytes = compress_frame(link.sending);
  }
  if (!link.sending.empty()) {
    iovec part{link.sending.data() + link.sent_bytes, link.sending.size() - link.sent_bytes};
    submit_send({&part, 1});
    return true;
  }
  if (link.between.empty()) {
    say_close();
    const size_t waiting = link.stage == Stage::open ? outbox_.pending_bytes() : 0;
    link.next_frame = std::min(waiting - link.frame_left, frame_bytes_max);
    link.between = std::exchange(link.control, {});
    link.between_sent = 0;
    if (link.next_frame > 0) append_head(link.between, link.next_frame, false);
  }
  std::array<iovec, parts_max + 2> parts;
  size_t count = outbox_.gather({parts.data(), parts_max}, link.frame_left + link.next_frame);
  if (!link.between.empty()) {
    size_t before = link.frame_left;
    size_t at = 0;
    while (at < count && before >= parts[at].iov_len) before -= parts[at++].iov_len;
    // What the parts had no room for comes first, and all between waits for it.
    if (at == count && before > 0) return submit_send({parts.data(), count}), true;
    const iovec between{link.between.data() + link.between_sent,
                        link.between.size() - link.between_sent};
    if (before > 0) {
      for (size_t i = count; i > at; i--) parts[i] = parts[i - 1];
      parts[at].iov_len = before;
      parts[at + 1].iov_base = static_cast<char*>(parts[at + 1].iov_base) + before;
      parts[at + 1].iov_len -= before;
      at++;
      count++;
    }
    for (size_t i = count; i > at; i--) parts[i] = parts[i - 1];
    parts[at] = between;
    count++;
  }
  if (count == 0) return false;
  submit_send({parts.data(), count});
  return true;
}

// The kernel took so many bytes of that.
void Connection::on_frames_sent(size_t bytes) {
  WebSocketLink& link = *websocket_;
  if (!link.sending.empty()) {
    link.sent_bytes += bytes;
    if (link.sent_bytes < link.sending.size()) return;
    outbox_.advance(shard_.pool(), std::exchange(link.plain_bytes, 0));
    link.sending.clear();
    if (outbox_.empty() && link.sending.capacity() > kept_capacity_max) {
      std::string().swap(link.sending);
      charge_layers();
    }
    return;
  }
  const auto take_of_frame = [&] {
    const size_t taken = std::min(bytes, link.frame_left);
    if (taken > 0) outbox_.advance(shard_.pool(), taken);
    link.frame_left -= taken;
    bytes -= taken;
  };
  take_of_frame();
  if (link.frame_left > 0) return;
  const size_t taken = std::min(bytes, link.between.size() - link.between_sent);
  link.between_sent += taken;
  bytes -= taken;
  if (link.between_sent < link.between.size()) return;
  std::string().swap(link.between);
  link.between_sent = 0;
  link.frame_left = std::exchange(link.next_frame, 0);
  take_of_frame();
  assert(bytes == 0);
}

// Appends a frame; returns how many bytes of the outbox it has.
size_t Connection::compress_frame(std::string& out) {
  std::array<iovec, parts_max> parts;
  const size_t count = outbox_.gather(parts, compress_bytes_max);
  Deflater& deflater = shard_.deflater();
  deflater.begin();
  size_t plain_bytes = 0;
  for (size_t i = 0; i < count; i++) {
    deflater.add({static_cast<const char*>(parts[i].iov_base), parts[i].iov_len});
    plain_bytes += parts[i].iov_len;
  }
  const std::string_view compressed = deflater.end();
  append_head(out, compressed.size(), true);
  out += compressed;
  return plain_bytes;
}

// The same through TLS, of which one piece is under way at a time. False when that is broken.
bool Connection::encrypt_frames() {
  WebSocketLink& link = *websocket_;
  TlsLink& tls = *tls_;
  assert(tls.plain_bytes == 0);
  const size_t pending = link.stage == Stage::open ? outbox_.pending_bytes() : 0;
  std::string frames = std::exchange(link.control, {});
  bool good = true;
  if (link.compresses && pending >= compress_bytes_min) {
    tls.plain_bytes = compress_frame(frames);
    good = tls.session->write(frames);
  } else {
    std::array<iovec, parts_max> parts;
    const size_t count = outbox_.gather(parts, pending == 0 ? 0 : compress_bytes_max);
    for (size_t i = 0; i < count; i++) tls.plain_bytes += parts[i].iov_len;
    if (count > 0) append_head(frames, tls.plain_bytes, false);
    good = tls.session->write(frames);
    for (size_t i = 0; i < count && good; i++) {
      good = tls.session->write({static_cast<const char*>(parts[i].iov_base), parts[i].iov_len});
    }
  }
  if (good && state_ == State::closing && tls.plain_bytes == pending && !tls.said_close) {
    say_close();
    good = tls.session->write(std::exchange(link.control, {}));
    tls.said_close = true;
    tls.session->close();
  }
  return good;
}

bool Connection::has_frames_to_send() const {
  const WebSocketLink& link = *websocket_;
  if (!link.control.empty() || !link.between.empty() || !link.sending.empty()) return true;
  return link.stage == Stage::open &&
         (!outbox_.empty() || (state_ == State::closing && !link.said_close));
}

// ---- The end.

// Says why, once, behind all that was still owed.
void Connection::say_close() {
  WebSocketLink& link = *websocket_;
  if (state_ != State::closing || link.said_close || link.stage != Stage::open) return;
  if (!tls_ && !outbox_.empty()) return;
  link.said_close = true;
  if (!link.close_answer.empty()) {
    link.control += link.close_answer;
    return;
  }
  link.control += protocol::websocket::close_frame(
      close_code(), link.close_text.empty() ? close_text() : link.close_text);
}

// nats-server's choice of code for each reason.
CloseCode Connection::close_code() const {
  if (!websocket_->close_text.empty()) return websocket_->close_code;
  switch (close_reason_) {
    case CloseReason::client_closed:
      return CloseCode::normal;
    case CloseReason::stale_connection:
    case CloseReason::lame_duck:
    case CloseReason::server_shutdown:
    case CloseReason::read_error:
    case CloseReason::write_error:
      return CloseCode::going_away;
    case CloseReason::out_of_memory:
      return CloseCode::internal_error;
    default:
      break;
  }
  switch (refusal_) {
    case protocol::Refusal::payload_exceeded:
      return CloseCode::too_big;
    case protocol::Refusal::unknown_operation:
    case protocol::Refusal::parse_error:
    case protocol::Refusal::protocol_violation:
    case protocol::Refusal::headers_not_negotiated:
    case protocol::Refusal::invalid_unsub_max:
    case protocol::Refusal::invalid_client_protocol:
    case protocol::Refusal::no_responders_requires_headers:
      return CloseCode::protocol_error;
    default:
      return CloseCode::policy_violation;
  }
}

}  // namespace peal::server
