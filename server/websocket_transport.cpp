// What lies between a connection and its socket, or its TLS, when that speaks WebSocket: the
// upgrade, then frames in; those out are in websocket_sends.cpp. What is said in them is none of
// this file's business; the life of the connection is in connection.cpp.

#include <algorithm>
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
  if (!websocket_ || websocket_->stage != Stage::upgrade) {
    return refuse(protocol::Refusal::connections_exceeded);
  }
  leave_open_count();
  websocket_->connections_exceeded = true;
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
  // But for what is more than may be held of a stranger.
  const bool may_be_held = admitted_ || bytes.size() <= unadmitted_bytes_max;
  if (shard_.budget().turn_is_full() && may_be_held) return hold_compressed(bytes, last);
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

}  // namespace peal::server
