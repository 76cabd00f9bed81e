#include "server/monitor/http_connections.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include <cassert>
#include <string_view>
#include <utility>

#include "core/memory.hpp"

namespace peal::server::monitor {
namespace {

constexpr size_t read_bytes = 4 * 1024;
constexpr size_t write_bytes = 64 * 1024;

// Nobody shows a certificate, as with nats-server. A session that began here must not be taken up
// at the clients' port, where a certificate may be needed: it is of another name, and no ticket is
// given.
SSL* make_session(const TlsContext& tls) {
  SSL* const session = SSL_new(tls.raw());
  if (session == nullptr) return nullptr;
  SSL_set_verify(session, SSL_VERIFY_NONE, nullptr);
  constexpr unsigned char sessions_of[] = "peal-monitor";
  SSL_set_session_id_context(session, sessions_of, sizeof sessions_of - 1);
  SSL_set_options(session, SSL_OP_NO_TICKET);
  SSL_set_num_tickets(session, 0);
  return session;
}

// The bytes behind `from` that a buffer holds, by the pieces in which it holds them.
template <typename Take>
void each_piece(evbuffer* buffer, size_t from, Take take) {
  evbuffer_ptr at;
  while (evbuffer_ptr_set(buffer, &at, from, EVBUFFER_PTR_SET) == 0) {
    evbuffer_iovec piece{};
    if (evbuffer_peek(buffer, -1, &at, &piece, 1) < 1 || piece.iov_len == 0) return;
    take(std::string_view(static_cast<const char*>(piece.iov_base), piece.iov_len));
    from += piece.iov_len;
  }
}

// Nobody can be accepted, mostly for want of a descriptor, and the socket would be ready for ever.
void rest(evconnlistener* listener, void*) {
  constexpr timeval pause{1, 0};
  const auto again = [](evutil_socket_t, short, void* resting) {
    evconnlistener_enable(static_cast<evconnlistener*>(resting));
  };
  evconnlistener_disable(listener);
  event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, again, listener, &pause);
}

// The library takes its functions away from what it is done with.
bool done_with(bufferevent* stream) {
  bufferevent_event_cb on_event = nullptr;
  bufferevent_getcb(stream, nullptr, nullptr, &on_event, nullptr);
  return on_event == nullptr;
}

}  // namespace

HttpConnections::HttpConnections(event_base* base, Certificates certificates, size_t held_bytes_max)
    : base_(base), certificates_(std::move(certificates)), held_bytes_max_(held_bytes_max) {}

HttpConnections::~HttpConnections() {
  full_ = false;  // Nobody listens any more.
  sweep();
  if (sweeps_ != nullptr) event_free(sweeps_);
}

bool HttpConnections::accepted_by(evconnlistener* listener) {
  listener_ = listener;
  evconnlistener_set_error_cb(listener, rest);
  const auto sweep_now = [](evutil_socket_t, short, void* all) noexcept {
    static_cast<HttpConnections*>(all)->sweep();
  };
  sweeps_ = event_new(base_, -1, EV_PERSIST, sweep_now, this);
  return sweeps_ != nullptr;
}

bufferevent* HttpConnections::make_stream() {
  if (!certificates_) return bufferevent_socket_new(base_, -1, BEV_OPT_CLOSE_ON_FREE);
  if (auto fresh = certificates_()) tls_ = std::move(fresh);
  assert(tls_ != nullptr);
  SSL* const session = make_session(*tls_);
  if (session == nullptr) return nullptr;
  return bufferevent_openssl_socket_new(base_, -1, session, BUFFEREVENT_SSL_ACCEPTING,
                                        BEV_OPT_CLOSE_ON_FREE);
}

// The library would speak in clear where it is given nothing.
bufferevent* HttpConnections::make() {
  bufferevent* const stream = make_stream();
  if (stream == nullptr) core::end_out_of_memory();
  // It stays until the sweep has seen that the library is done with it.
  bufferevent_incref(stream);
  constexpr timeval deaf{patience.count(), 0};
  bufferevent_set_timeouts(stream, nullptr, &deaf);
  bufferevent_setwatermark(stream, EV_READ, 0, held_bytes_max_);
  bufferevent_set_max_single_read(stream, read_bytes);
  bufferevent_set_max_single_write(stream, write_bytes);
  if (constexpr timeval second{1, 0}; connections_.empty()) event_add(sweeps_, &second);
  Connection newcomer{.all = *this, .tls = tls_, .ends = Clock::now() + patience};
  Connection& connection = connections_.try_emplace(stream, std::move(newcomer)).first->second;
  connection.watch = evbuffer_add_cb(bufferevent_get_input(stream), on_input, &connection);
  if (connections_.size() >= connections_max) {
    full_ = true;
    evconnlistener_disable(listener_);
  }
  return stream;
}

// The library waits for a line's end however long that takes, and looks at a full buffer over and
// over.
bool HttpConnections::endless_line(evbuffer* input) const {
  return evbuffer_get_length(input) >= held_bytes_max_ &&
         evbuffer_search_eol(input, nullptr, nullptr, EVBUFFER_EOL_LF).pos < 0;
}

// What has too many lines, or one without an end, is not shown to the library at all.
void HttpConnections::on_input(evbuffer* input, const evbuffer_cb_info* change, void* of) {
  if (change->n_added == 0) return;
  Connection& connection = *static_cast<Connection*>(of);
  each_piece(input, change->orig_size, [&connection](std::string_view piece) {
    connection.refused = !connection.head.take(piece) || connection.refused;
  });
  connection.refused = connection.refused || connection.all.endless_line(input);
  if (connection.refused) evbuffer_drain(input, evbuffer_get_length(input));
}

void HttpConnections::asked(bufferevent* stream) {
  connections_.at(stream).ends = Clock::time_point::max();
}

void HttpConnections::answered(bufferevent* stream, bool last) {
  // The library keeps some open that it should close.
  connections_.at(stream).ends = Clock::now() + (last ? Clock::duration{} : patience);
  SSL* const session = last ? bufferevent_openssl_get_ssl(stream) : nullptr;
  if (session == nullptr) return;
  // A word of farewell: without it, it looks cut off.
  SSL_shutdown(session);
  ERR_clear_error();
}

void HttpConnections::sweep() {
  const Clock::time_point now = Clock::now();
  for (auto at = connections_.begin(); at != connections_.end();) {
    auto& [stream, connection] = *at;
    if (!done_with(stream) && (connection.refused || connection.ends < now)) {
      bufferevent_trigger_event(stream, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
    }
    if (!done_with(stream)) {
      ++at;
      continue;
    }
    evbuffer_remove_cb_entry(bufferevent_get_input(stream), connection.watch);
    bufferevent_decref(stream);
    at = connections_.erase(at);
  }
  if (connections_.empty() && sweeps_ != nullptr) event_del(sweeps_);
  if (full_ && connections_.size() < connections_max) {
    full_ = false;
    evconnlistener_enable(listener_);
  }
}

}  // namespace peal::server::monitor
