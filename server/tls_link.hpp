#pragma once
// Where a connection is with TLS, and what of it is on its way to the network. It knows stages and
// bytes; transport.cpp moves it on.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "server/tls_session.hpp"

namespace peal::server {

/// One of the handshakes that may be under way at a time, in the whole server: the library takes
/// some 50 KB for each, and a stranger needs no more than a few bytes to begin one.
class HandshakeSeat {
 public:
  static constexpr uint32_t seats = 16 * 1024;

  HandshakeSeat() = default;
  ~HandshakeSeat() { leave(); }
  HandshakeSeat(const HandshakeSeat&) = delete;
  HandshakeSeat& operator=(const HandshakeSeat&) = delete;

  /// False when all are taken.
  bool take(std::atomic<uint32_t>& taken) {
    if (taken.fetch_add(1, std::memory_order_relaxed) < seats) {
      taken_ = &taken;
      return true;
    }
    taken.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void leave() {
    if (taken_ != nullptr) taken_->fetch_sub(1, std::memory_order_relaxed);
    taken_ = nullptr;
  }

 private:
  std::atomic<uint32_t>* taken_ = nullptr;
};

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
  HandshakeSeat seat;
  std::shared_ptr<const TlsContext> context;  // As of its beginning, whatever is reloaded.
  std::shared_ptr<TlsSession> session;        // A helper's during pause_handshake.

  std::string sending;  // In the kernel's hands, from sent_bytes on.
  size_t sent_bytes = 0;
  size_t plain_bytes = 0;  // Of the outbox, that `sending` has; they go when it has gone.
};

}  // namespace peal::server
