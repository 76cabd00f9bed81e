#pragma once
// One connection to a server, from the address to the first PONG. It knows sockets and the
// handshake; what is sent afterwards it must never know.

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/binary_frame.hpp"
#include "protocol/writer.hpp"
#include "tools/bench/reply_stream.hpp"
#include "tools/bench/server_url.hpp"
#include "tools/bench/tls.hpp"

namespace peal::bench {

/// What is said of a server that takes nothing for longer than `patience_s`.
std::string took_nothing();

/// Where to connect, looked up once for all connections.
struct Server {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::string shown;    // host:port
  std::string host;     // As it was given, for its certificate.
  std::string connect;  // The CONNECT line with the credentials in it.
  std::shared_ptr<const TlsContext> tls = {};
  bool binary = false;  // It asks for frames.
};

/// The error is one sentence.
std::variant<std::vector<Server>, std::string> resolve(const std::vector<ServerUrl>& urls,
                                                       const TlsChoice& tls, bool binary = false);

/// Owned by one thread at a time; shut_down alone may come from another.
class Link {
 public:
  Link(int fd, size_t buffer_bytes) : fd_(fd), replies_(buffer_bytes) {}
  ~Link();
  Link(Link&& from) noexcept;
  Link& operator=(Link&&) = delete;

  int fd() const { return fd_; }
  ReplyStream& replies() { return replies_; }
  const ReplyStream& replies() const { return replies_; }

  /// Speaks TLS from now on. The error is one sentence.
  std::optional<std::string> begin_tls(const Server& server);
  bool is_clear() const { return tls_ == nullptr; }

  /// As send(), with errno.
  ssize_t send_some(std::string_view bytes, int flags);

  /// It speaks in frames.
  bool binary() const { return replies_.in_frames(); }

  /// SUB, as it is written here. An empty queue is none.
  std::string sub_bytes(std::string_view filter, std::string_view queue, uint32_t sid) const;

  bool send_ping() { return send_word(protocol::ping_line, protocol::Operation::ping); }
  bool send_pong() { return send_word(protocol::pong_line, protocol::Operation::pong); }

  /// Waits until all is sent; false when the connection is gone, or the server takes nothing.
  bool send_all(std::string_view bytes);
  /// Why nothing can be sent or received any more, in one sentence.
  std::string why_gone();

  /// Answers the PINGs that came. Only where no PUB is half sent.
  bool answer_pings();

  /// Sends PING and waits until the server has done all that was asked before: the error that came
  /// meanwhile, or that none of it came in ten seconds. Messages that come before it are dropped.
  std::optional<std::string> barrier();

  /// To be called now and then while nothing comes: is the server still there? One that does not
  /// answer a PING in ten seconds is given up: the next receive ends it, and `replies` has the
  /// error.
  void ask();

  /// Wakes whoever is blocked in a call on it.
  void shut_down();

  /// For a blocking receive: gives up after so long.
  void set_receive_timeout(int ms);

 private:
  bool send_word(std::string_view line, protocol::Operation operation);

  int fd_;
  bool takes_nothing_ = false;
  int64_t asked_ns_ = 0;       // Of the last PING of ask; 0: none.
  uint64_t pongs_before_ = 0;  // There were before it.
  std::unique_ptr<TlsStream> tls_;
  ReplyStream replies_;
};

/// A connection that has shaken hands. The error is one sentence.
std::variant<Link, std::string> dial(const Server& server, size_t buffer_bytes);

/// Whether the server takes messages of so many bytes, headers included. The error is one sentence.
std::optional<std::string> check_payload(const Link& link, size_t message_bytes);

/// What a server calls itself in its INFO.
std::string shown_server(std::string_view info);

}  // namespace peal::bench
