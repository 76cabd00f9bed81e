#pragma once
// The connections of the HTTP server, and what each may cost: how many there are, how long one may
// take to ask and to read, how much of it is held. It knows streams of bytes, in clear or through
// TLS; what is asked and answered it must never know.
//
// One thread, that of the server's loop.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>

#include "server/monitor/head_lines.hpp"
#include "server/tls_context.hpp"

struct bufferevent;
struct evbuffer;
struct evbuffer_cb_entry;
struct evbuffer_cb_info;
struct evconnlistener;
struct event;
struct event_base;

namespace peal::server::monitor {

class HttpConnections {
 public:
  /// Connections beyond these wait to be accepted.
  static constexpr size_t connections_max = 256;
  /// So long a connection may take until it has asked, from its beginning or the answer before; and
  /// so long it may read nothing of an answer.
  static constexpr std::chrono::seconds patience{10};

  /// What a newcomer is shown; nothing: what the one before was.
  using Certificates = std::function<std::shared_ptr<const TlsContext>()>;

  /// With certificates they speak TLS alone. `held_bytes_max` is what may wait of one until it is
  /// looked at.
  HttpConnections(event_base* base, Certificates certificates, size_t held_bytes_max);
  /// The library has let all go by then.
  ~HttpConnections();
  HttpConnections(const HttpConnections&) = delete;
  HttpConnections& operator=(const HttpConnections&) = delete;

  /// Who accepts them, and is held back while there are too many. False when the library cannot.
  bool accepted_by(evconnlistener* listener);

  /// One for the library, which gives it a socket next and frees it when it is done with it.
  bufferevent* make();
  /// It has asked: no time is set for the answer.
  void asked(bufferevent* stream);
  /// It has the answer, and may ask again. `last`: it will be closed.
  void answered(bufferevent* stream, bool last);

  /// Forgets those that the library is done with, and ends those that took too long. It also comes
  /// by itself, every second while there is one.
  void sweep();

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    HttpConnections& all;
    std::shared_ptr<const TlsContext> tls;  // Its own: the library looks into it by the handshake.
    Clock::time_point ends;                 // Unless it has asked until then.
    HeadLines head{};
    bool refused = false;
    evbuffer_cb_entry* watch = nullptr;
  };

  bool endless_line(evbuffer* input) const;
  bufferevent* make_stream();
  static void on_input(evbuffer* input, const evbuffer_cb_info* change, void* connection);

  event_base* const base_;
  const Certificates certificates_;
  std::shared_ptr<const TlsContext> tls_;
  const size_t held_bytes_max_;
  evconnlistener* listener_ = nullptr;
  event* sweeps_ = nullptr;
  bool full_ = false;
  std::unordered_map<bufferevent*, Connection> connections_;
};

}  // namespace peal::server::monitor
