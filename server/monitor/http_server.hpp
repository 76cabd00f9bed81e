#pragma once
// HTTP on a listening socket, through libmicrohttpd: who may ask, in which bounds, and under which
// path. It knows requests and answers; what an answer says it must never know.
//
// One thread runs it, which waits for its descriptor and calls run().

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "server/monitor/context.hpp"
#include "server/monitor/query.hpp"

struct MHD_Connection;
struct MHD_Daemon;

namespace peal::server::monitor {

struct HttpAccess {
  std::string base_path;
  std::string user, password, token;  // Empty: everybody may ask.

  bool open() const { return user.empty() && token.empty(); }
};

/// What HTTPS needs. Clients show no certificate, as with nats-server.
struct HttpsIdentity {
  std::string certificate_pem, private_key_pem;
  bool only_tls13 = false;

  bool operator==(const HttpsIdentity&) const = default;
};

struct HttpRequest {
  std::string_view method;
  std::string_view path;   // Behind the base path.
  bool local = false;      // It came over the loopback.
  bool from_page = false;  // A browser sent it for a page.
};

class HttpServer {
 public:
  using Answer = std::function<Response(const HttpRequest&, Query&)>;

  /// Connections beyond these wait to be accepted; a quiet one is closed.
  static constexpr unsigned connections_max = 256;
  static constexpr unsigned timeout_s = 10;
  /// Of a request's line and headers.
  static constexpr size_t request_bytes_max = 16 * 1024;
  /// Of all answers that have not been read yet; past it the answer is 503.
  static constexpr size_t unread_bytes_max = 64 * 1024 * 1024;

  /// Owns the listening socket from now on. With an identity it speaks HTTPS alone.
  HttpServer(int listener, HttpAccess access, std::optional<HttpsIdentity> identity, Answer answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// False when the library could not be started.
  bool running() const { return daemon_ != nullptr; }
  /// Readable when there is something to do.
  int descriptor() const;
  /// How long to wait at most, in milliseconds; -1: for ever.
  int wait_ms() const;
  void run();

  // ---- For the library's callback.
  int handle(MHD_Connection* connection, std::string_view url, std::string_view method);

 private:
  bool may_ask(MHD_Connection* connection) const;
  Response respond(MHD_Connection* connection, std::string_view url, std::string_view method);
  int send(MHD_Connection* connection, Response response);

  const HttpAccess access_;
  std::optional<HttpsIdentity> identity_;
  const Answer answer_;
  size_t unread_bytes_ = 0;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace peal::server::monitor
