#pragma once
// Where a connection is with TLS, and what of it is on its way to the network. It knows stages and
// bytes; transport.cpp moves it on.

#include <cstdint>
#include <memory>
#include <string>

#include "core/ledger.hpp"
#include "server/seat.hpp"
#include "server/tls_session.hpp"

namespace peal::server {

/// Handshakes that may be under way at a time, in the whole server: the library takes some 50 KB
/// for each, and a stranger needs no more than a few bytes to begin one.
inline constexpr uint32_t handshake_seats = 16 * 1024;

/// What the library keeps for a session that is open, whatever goes through it.
inline constexpr size_t tls_session_bytes_about = 16 * 1024;

struct TlsLink {
  enum class Stage : uint8_t {
    hello,      // Nothing has come yet; it may turn out that it is not TLS.
    handshake,  // A step of it is under way, or the next bytes are waited for.
    open,
  };

  Stage stage = Stage::hello;
  bool info_sent = false;   // In clear; else it is the first thing to be said after the handshake.
  bool came_first = false;  // The handshake, before INFO.
  bool said_close = false;
  int64_t due_ns = INT64_MAX;       // Of the handshake.
  int64_t info_due_ns = INT64_MAX;  // INFO goes in clear if no ClientHello has come by then.
  Seat seat;                        // Of the handshake.
  std::shared_ptr<const TlsContext> context;  // As of its beginning, whatever is reloaded.
  std::shared_ptr<TlsSession> session;        // A helper's during pause_handshake.

  std::string sending;  // In the kernel's hands, from sent_bytes on.
  size_t sent_bytes = 0;
  size_t plain_bytes = 0;  // Of the outbox, that `sending` has; they go when it has gone.

  core::Charge charge{core::Purpose::links};
  /// REQUIRES that no helper has the session.
  void charge_memory() {
    if (!session) return;
    charge.set(tls_session_bytes_about + session->output().capacity() + sending.capacity());
  }
};

}  // namespace peal::server
