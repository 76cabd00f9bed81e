// What lies between a connection and its socket, or its TLS, when that speaks WebSocket: the
// upgrade, then frames in and out. What is said in them is none of this file's business; the life
// of the connection is in connection.cpp.

#include <array>
#include <cassert>
#include <utility>

#include "server/connection.hpp"
#include "server/shard.hpp"

namespace peal::server {

using protocol::websocket::CloseCode;
using protocol::websocket::FrameReader;
using protocol::websocket::Opcode;
using Stage = WebSocketLink::Stage;

namespace {

// To inflate so much, and act on it, is work like giving a message to one subscription.
constexpr uint64_t inflated_bytes_a_work = 2;

// A compressed message of so many times the largest payload, or of so much, is too big: as in
// nats-server.
constexpr uint64_t inflated_payloads_max = 8;
constexpr uint64_t inflated_bytes_max = 64u << 20;

// Answers to pings that wait to be sent. Of more, only the latest is answered: RFC 6455, 5.5.3.
constexpr size_t control_bytes_max = 1024;

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

// ---- The upgrade.

void Connection::begin_websocket() {
  websocket_->due_ns = shard_.now_ns() + shard_.options().websocket.handshake_timeout.count();
  check_later(websocket_->due_ns);
}

// True until the upgrade: nothing else is due before.
bool Connection::watch_upgrade(int64_t now_ns) {
  if (websocket_->stage == Stage::open) return false;
  if (now_ns < websocket_->due_ns) {
    check_later(websocket_->due_ns);
    return true;
  }
  const bool can_answer = !tls_ || tls_->stage == TlsLink::Stage::open;
  if (can_answer) websocket_->control = http_refusal(408);
  close(can_answer ? CloseReason::websocket_upgrade : CloseReason::tls_handshake);
  return true;
}

void Connection::on_upgrade_request(std::string_view bytes) {
  WebSocketLink& link = *websocket_;
  if (!link.control.empty() || !link.request->read(bytes)) return;
  UpgradeReader::Answer answer = link.request->answer(*shard_.settings().websocket.rules);
  link.request.reset();
  link.control = std::move(answer.text);
  if (!answer.client_ip.empty()) {
    link.client_ip = std::make_unique<std::string>(std::move(answer.client_ip) + "/");
  }
  flush_later();
  if (answer.refusal.empty()) return open_websocket(answer.compression);
  shard_.log().debug("{} - WebSocket handshake error: {}", label(), answer.refusal);
  close(CloseReason::websocket_upgrade);
}

void Connection::open_websocket(bool compression) {
  WebSocketLink& link = *websocket_;
  link.stage = Stage::open;
  link.compresses = compression;
  if (compression) link.reader.allow_compression();
  start_admission_clock();
  ping_due_ns_ = shard_.now_ns() + shard_.options().ping_interval.count();
  check_later(ping_due_ns_);
  send_info(false);
  if (link.connections_exceeded) refuse(protocol::Refusal::connections_exceeded);
}

void Connection::refuse_as_surplus() {
  if (websocket_ && websocket_->stage == Stage::upgrade) {
    websocket_->connections_exceeded = true;
  } else {
    refuse(protocol::Refusal::connections_exceeded);
  }
}

// ---- In.

void Connection::on_frames(std::string_view bytes) {
  WebSocketLink& link = *websocket_;
  if (link.stage == Stage::upgrade) return on_upgrade_request(bytes);
  if (ended_ != CloseReason::none) return;  // It has said that nothing follows.
  if (!ready() || !link.kept.empty()) return keep_frames(bytes);
  // What was received is ours until the turn ends, and nobody else's.
  const size_t read = read_frames({const_cast<char*>(bytes.data()), bytes.size()});
  if (open() && read < bytes.size()) keep_frames(bytes.substr(read));
}

// As far as the connection can act on it.
size_t Connection::read_frames(std::span<char> input) {
  WebSocketLink& link = *websocket_;
  size_t consumed = 0;
  while (consumed < input.size() && ready() && ended_ == CloseReason::none) {
    const FrameReader::Piece piece = link.reader.read(input.subspan(consumed));
    consumed += piece.consumed_bytes;
    const bool message_end = piece.stop == FrameReader::Stop::message_end;
    if (piece.compressed && (message_end || !piece.payload.empty())) {
      on_compressed(piece.payload, message_end);
    } else if (!piece.payload.empty()) {
      on_bytes(piece.payload);
    }
    if (!open()) break;
    if (piece.stop == FrameReader::Stop::control) on_control_frame();
    if (piece.stop == FrameReader::Stop::violation) {
      const auto violation = link.reader.violation();
      fail_frames(code_of(violation), text_of(violation));
    }
  }
  return consumed;
}

void Connection::keep_frames(std::string_view bytes) {
  Carry& kept = websocket_->kept;
  const size_t total = kept.size() + bytes.size();
  if (is_held_short() && total > unadmitted_bytes_max) {
    return refuse(protocol::Refusal::control_line_exceeded);
  }
  if (!kept.append(shard_.pool(), bytes, total)) return close(CloseReason::out_of_memory);
  if (total > kept_bytes_max) cancel_recv();
}

void Connection::resume_frames() {
  WebSocketLink& link = *websocket_;
  if (ready() && link.inflating) inflate();
  if (!ready() || link.kept.empty()) return;
  // Nothing is added to it meanwhile: who is not paused keeps no frames, and reading is not nested.
  const std::string_view kept = link.kept.bytes();
  const size_t read = read_frames({const_cast<char*>(kept.data()), kept.size()});
  if (open()) link.kept.consume(shard_.pool(), read);
}

void Connection::on_control_frame() {
  WebSocketLink& link = *websocket_;
  const std::string_view payload = link.reader.control_payload();
  switch (link.reader.control_opcode()) {
    case Opcode::ping:
      return queue_control(protocol::websocket::control_frame(Opcode::pong, payload));
    case Opcode::close:
      link.close_answer = protocol::websocket::control_frame(Opcode::close, payload);
      return end(CloseReason::client_closed, 0);
    default:
      return;
  }
}

void Connection::queue_control(std::string frame) {
  std::string& control = websocket_->control;
  if (control.size() + frame.size() > control_bytes_max) control.clear();
  control += frame;
  flush_later();
}

void Connection::fail_frames(CloseCode code, std::string_view text) {
  shard_.log().debug("{} - WebSocket error: {}", label(), text);
  websocket_->close_code = code;
  websocket_->close_text = text;
  refusal_ = protocol::Refusal::protocol_violation;
  close(CloseReason::refused);
}

// ---- Compressed messages.

// A stranger's are inflated when they are whole, so that he costs no window: until then they are
// short.
void Connection::on_compressed(std::string_view bytes, bool last) {
  WebSocketLink& link = *websocket_;
  link.message_ends = last;
  if (link.held.empty() && (admitted_ || last)) return inflate(bytes, last);
  if (!admitted_ && link.held.size() + bytes.size() > unadmitted_bytes_max) {
    return refuse(protocol::Refusal::control_line_exceeded);
  }
  link.held += bytes;
  link.held_last = last;
  if (admitted_ || last) inflate();
}

void Connection::inflate() {
  WebSocketLink& link = *websocket_;
  const std::string input = std::exchange(link.held, {});
  inflate(input, link.held_last);
}

// A few bytes may be many when inflated: after each piece whoever else waits comes first.
void Connection::inflate(std::string_view bytes, bool last) {
  WebSocketLink& link = *websocket_;
  if (shard_.budget().turn_is_full()) return hold_compressed(bytes, last);
  if (!link.inflater) {
    link.inflater = shard_.take_inflater();
    link.inflater->begin();
    link.inflated_bytes = 0;
  }
  link.inflating = true;
  link.inflater->set_input(bytes, last);
  const std::span<char> plain = shard_.inflate_memory();
  const uint64_t message_max = std::min(
      inflated_payloads_max * shard_.options().limits.payload_bytes_max, inflated_bytes_max);
  size_t filled = 0;
  const Inflater::Outcome outcome = link.inflater->read(plain, filled);
  link.inflated_bytes += filled;
  if (link.inflated_bytes > message_max) {
    return fail_frames(CloseCode::too_big, "message too big when inflated");
  }
  shard_.budget().spend(filled / inflated_bytes_a_work);
  if (filled > 0) on_bytes({plain.data(), filled});
  if (!open()) return;
  if (outcome == Inflater::Outcome::broken) {
    return fail_frames(CloseCode::invalid_payload, "invalid compressed data");
  }
  if (outcome == Inflater::Outcome::more) {
    return hold_compressed(link.inflater->rest(), link.inflater->rest_is_last());
  }
  link.inflating = false;
  if (link.message_ends) shard_.give_back(std::move(link.inflater));
}

void Connection::hold_compressed(std::string_view rest, bool last) {
  WebSocketLink& link = *websocket_;
  link.held = rest;
  link.held_last = last;
  link.inflating = true;
  wait_for_share();
}

// ---- Out.

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
