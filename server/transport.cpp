// What lies between a connection and its socket, layer by layer: a PROXY header, TLS, WebSocket
// (websocket_transport.cpp). Here is TLS: the handshake, of which helpers do the slow steps, then
// records in and out. The life of the connection is in connection.cpp; what is said over it is none
// of this file's business.

#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

#include "server/connection.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

// What a client may make us say without reading it: answers to key updates, alerts.
constexpr size_t unread_bytes_max = 64 * 1024;

// So much is encrypted at a time: it is held twice until the kernel has it.
constexpr size_t encrypt_bytes_max = 128 * 1024;
constexpr size_t encrypt_parts_max = 16;

// What an idle connection keeps of the memory that it last sent from.
constexpr size_t kept_capacity_max = 4096;

constexpr char first_byte_of_handshake = 0x16;  // The type of a TLS record.

}  // namespace

// Who comes by WebSocket may have other rules to come in by.
const Security& Connection::security() const {
  return websocket_ ? *shard_.settings().websocket.security : shard_.security();
}

const std::shared_ptr<const TlsContext>& Connection::tls_context() const {
  return websocket_ ? shard_.settings().websocket.tls : shard_.tls();
}

// Bytes of the network, in whatever stage. A PROXY header stands in clear before all of them.
void Connection::on_layered(std::string_view bytes) {
  if (awaits_proxy_header()) {
    if (!take_proxy_header(bytes)) return;
    std::string behind(carry_.bytes());
    carry_.clear(shard_.pool());
    if (!behind.empty()) return on_layered(behind);
    if (bytes.empty()) return;
  }
  tls_ ? on_cipher(bytes) : on_frames(bytes);
  charge_layers();
}

void Connection::charge_layers() {
  if (tls_ && (pauses_ & pause_handshake) == 0) tls_->charge_memory();
  if (websocket_) websocket_->charge_memory();
}

// Whatever fails: what was meant for TLS never goes in clear, nor what was meant for a frame
// without one.
void Connection::flush_layers() {
  const bool sends = tls_ ? tls_->session && flush_tls() : flush_frames();
  charge_layers();
  if (sends) return;
  if (tls_ && tls_->stage != TlsLink::Stage::open && !websocket_) return flush_plain();
  if (state_ == State::closing) release_if_idle();
}

bool Connection::may_speak_in_clear() const {
  return !websocket_ && shard_.options().security.allow_non_tls;
}

// Counts it among the newcomers who speak TLS.
bool Connection::comes_too_fast() {
  const uint32_t per_second_max = tls_->context->options().connections_per_second_max;
  return !shard_.state().tls_rate.permits(shard_.now_ns(), per_second_max);
}

// True when INFO goes at once, in clear.
bool Connection::begin_tls() {
  tls_ = std::make_unique<TlsLink>();
  tls_->context = tls_context();
  const TlsContext& context = *tls_->context;
  const int64_t now_ns = shard_.now_ns();
  tls_->due_ns = websocket_ ? websocket_->due_ns : now_ns + context.options().timeout.count();
  check_later(tls_->due_ns);
  if (websocket_) return tls_->info_sent = true, false;  // It goes when that is open.
  tls_->info_sent = !context.options().handshake_first;
  if (!tls_->info_sent && context.options().handshake_first_wait.count() > 0) {
    tls_->info_due_ns = now_ns + context.options().handshake_first_wait.count();
    check_later(tls_->info_due_ns);
  }
  return tls_->info_sent;
}

// Until the end of the handshake. True when that is late, and the connection closes.
bool Connection::watch_handshake(int64_t now_ns) {
  if (tls_->stage == TlsLink::Stage::open) return false;
  if (now_ns >= tls_->due_ns) {
    if (tls_->stage == TlsLink::Stage::hello && may_speak_in_clear()) {
      tls_.reset();
      start_admission_clock();
      return false;
    }
    shard_.on_failed_handshake(*this, "it took too long");
    close(CloseReason::tls_handshake);  // Without a word: it would be read as a broken record.
    return true;
  }
  check_later(tls_->due_ns);
  if (tls_->stage != TlsLink::Stage::hello || tls_->info_sent) return false;
  if (now_ns >= tls_->info_due_ns) {
    tls_->info_sent = true;
    send_info(false);
  } else {
    check_later(tls_->info_due_ns);
  }
  return false;
}

void Connection::on_cipher(std::string_view bytes) {
  if (tls_->stage == TlsLink::Stage::hello) {
    const bool is_tls = bytes.front() == first_byte_of_handshake;
    if (!is_tls && may_speak_in_clear()) {
      tls_.reset();
      start_admission_clock();
      return on_bytes(bytes);
    }
    if (may_speak_in_clear() && comes_too_fast()) {
      return refuse(protocol::Refusal::connection_throttled);
    }
    // What is no handshake is for the session to refuse: nothing said in clear is ever acted upon.
    tls_->stage = TlsLink::Stage::handshake;
  }
  if (tls_->stage == TlsLink::Stage::open) return read_plain(bytes);
  continue_handshake(bytes);
}

void Connection::continue_handshake(std::string_view bytes) {
  assert((pauses_ & pause_handshake) == 0);
  if (!tls_->session) {
    if (!tls_->seat.take(shard_.state().tls_handshakes, handshake_seats)) {
      return close(CloseReason::tls_handshake);
    }
    tls_->session = std::make_shared<TlsSession>(tls_->context);
  }
  tls_->session->add_input(bytes);
  pauses_ |= pause_handshake;
  const auto work = [session = tls_->session, slot = slot_, generation = generation_,
                     &inbox = shard_.state().helper_inboxes[shard_.id()]] {
    session->handshake();
    inbox.put({slot, generation, HelperResult::Of::handshake, false});
  };
  if (!shard_.state().helpers.submit(HelperPool::Kind::handshake, work))
    close(CloseReason::tls_handshake);
}

void Connection::on_handshake() {
  assert(tls_ && (pauses_ & pause_handshake) != 0);
  pauses_ &= static_cast<uint8_t>(~pause_handshake);
  if (state_ == State::closed) return;  // The number of its descriptor may be another's by now.
  TlsSession& session = *tls_->session;
  if (!session.output().empty()) flush_later();
  if (!open()) return;
  switch (session.handshake_outcome()) {
    case TlsSession::Outcome::wants_more:
      return read_on();
    case TlsSession::Outcome::done:
      break;
    case TlsSession::Outcome::ended:
    case TlsSession::Outcome::failed:
      shard_.on_failed_handshake(*this, session.error());
      return close(CloseReason::tls_handshake);
  }
  tls_->stage = TlsLink::Stage::open;
  tls_->seat.leave();
  shard_.stats().tls_handshakes++;
  shard_.stats().tls_resumptions += static_cast<uint64_t>(session.resumed());
  if (!websocket_) start_admission_clock();
  tls_->came_first = !tls_->info_sent;
  if (!std::exchange(tls_->info_sent, true)) send_info(false);
  read_plain({});  // What came right behind the handshake.
  charge_layers();
  read_on();
}

// The plain bytes lie in memory of the shard's, for one round of parsing.
void Connection::read_plain(std::string_view cipher) {
  const std::span<char> plain = shard_.plain_memory();
  TlsSession& session = *tls_->session;
  session.set_input(cipher);
  TlsSession::Outcome outcome;
  do {
    size_t filled = 0;
    outcome = session.read(plain, filled);
    if (filled > 0) {
      const std::string_view bytes{plain.data(), filled};
      websocket_ ? on_frames(bytes) : on_bytes(bytes);
    }
  } while (outcome == TlsSession::Outcome::done && open());
  session.drop_input();
  if (!open()) return;
  if (session.output().size() > unread_bytes_max) {
    return close(CloseReason::slow_consumer_pending);
  }
  if (!session.output().empty()) flush_later();
  switch (outcome) {
    case TlsSession::Outcome::done:
    case TlsSession::Outcome::wants_more:
      return;
    case TlsSession::Outcome::ended:
      return end(CloseReason::client_closed, 0);
    case TlsSession::Outcome::failed:
      shard_.log().debug("{} - TLS error: {}", label(), session.error());
      return close(CloseReason::read_error, EPROTO);
  }
}

// What waits is encrypted, and counts as waiting until the kernel has all of it. False when what
// waits has to go in clear: INFO, or why there will be no handshake.
bool Connection::flush_tls() {
  TlsLink& link = *tls_;
  if ((pauses_ & pause_handshake) != 0) return false;
  if (discards_) {
    link.sending.clear();
    link.plain_bytes = 0;
    link.session->output().clear();
    return false;
  }
  if (link.sending.empty()) {
    if (link.stage == TlsLink::Stage::open) encrypt();
    link.sending.swap(link.session->output());
    link.sent_bytes = 0;
  }
  if (link.sending.empty()) return false;
  iovec part{link.sending.data() + link.sent_bytes, link.sending.size() - link.sent_bytes};
  submit_send({&part, 1});
  return true;
}

void Connection::encrypt() {
  TlsLink& link = *tls_;
  if (websocket_) {
    if (encrypt_frames()) return;
    discards_ = true;
    return close(CloseReason::write_error, EPROTO);
  }
  std::array<iovec, encrypt_parts_max> parts;
  const size_t count = outbox_.gather(parts, encrypt_bytes_max);
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += TlsSession::record_bytes(parts[i].iov_len);
  link.session->output().reserve(link.session->output().size() + bytes);
  for (size_t i = 0; i < count; i++) {
    if (!link.session->write({static_cast<const char*>(parts[i].iov_base), parts[i].iov_len})) {
      discards_ = true;
      return close(CloseReason::write_error, EPROTO);
    }
    link.plain_bytes += parts[i].iov_len;
  }
  if (state_ == State::closing && link.plain_bytes == outbox_.pending_bytes() &&
      !std::exchange(link.said_close, true)) {
    link.session->close();
  }
}

// The kernel took so many bytes of what was encrypted.
void Connection::on_cipher_sent(size_t bytes) {
  TlsLink& link = *tls_;
  link.sent_bytes += bytes;
  if (link.sent_bytes < link.sending.size()) return;
  if (link.plain_bytes > 0) outbox_.advance(shard_.pool(), std::exchange(link.plain_bytes, 0));
  link.sending.clear();
  if (!outbox_.empty() || (pauses_ & pause_handshake) != 0) return;
  // They change places with each send.
  std::string& other = link.session->output();
  if (link.sending.capacity() > kept_capacity_max) std::string().swap(link.sending);
  if (other.empty() && other.capacity() > kept_capacity_max) std::string().swap(other);
  charge_layers();
}

void Connection::show_tls(ConnectionPicture& picture) const {
  const bool secured = tls_ && tls_->stage == TlsLink::Stage::open;
  picture.tls_version = secured ? tls_->session->version() : std::string_view();
  picture.tls_cipher = secured ? tls_->session->cipher() : std::string_view();
  picture.tls_first = secured && tls_->came_first;
  picture.certificates = secured ? tls_->session->peer_certificates() : nullptr;
}

bool Connection::has_more_to_send() const {
  const bool framed = websocket_ != nullptr;
  if (framed && (!tls_ || tls_->stage == TlsLink::Stage::open) && has_frames_to_send()) return true;
  if (!framed && !outbox_.empty()) return true;
  if (!tls_ || !tls_->session || (pauses_ & pause_handshake) != 0) return false;
  return !tls_->sending.empty() || !tls_->session->output().empty() ||
         (state_ == State::closing && tls_->stage == TlsLink::Stage::open && !tls_->said_close);
}

}  // namespace peal::server
