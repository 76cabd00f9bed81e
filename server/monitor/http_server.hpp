#pragma once
// HTTP on a listening socket, through libevent: who may ask, in which bounds, and under which path.
// It knows requests and answers; what an answer says it must never know.
//
// One thread runs it, over and over.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "server/monitor/context.hpp"
#include "server/monitor/http_connections.hpp"
#include "server/monitor/query.hpp"

struct event;
struct event_base;
struct evhttp;
struct evhttp_request;

namespace peal::server::monitor {

struct HttpAccess {
  std::string base_path;
  std::string user, password, token;  // Empty: everybody may ask.

  bool open() const { return user.empty() && token.empty(); }
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

  /// Of a request's line and headers, and of a body, for which nothing here has a use.
  static constexpr size_t head_bytes_max = 16 * 1024;
  static constexpr size_t body_bytes_max = 16 * 1024;
  /// Of all answers that have not been read yet; past it the answer is 503.
  static constexpr size_t unread_bytes_max = 64 * 1024 * 1024;

  /// Owns the listening socket from now on. With certificates it speaks HTTPS alone. `wake` is a
  /// descriptor that ends a turn when it can be read, and nothing more.
  HttpServer(int listener, int wake, HttpAccess access, HttpConnections::Certificates certificates,
             Answer answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// False when the library could not be started.
  bool running() const { return running_; }
  /// Waits until there is something to do, or for so many milliseconds (-1: for ever), and does it.
  void run(int wait_ms);

 private:
  bool start(int listener, int wake);
  void handle(evhttp_request* asked);
  bool may_ask(std::string_view authorization) const;
  Response respond(evhttp_request* asked);
  void send(evhttp_request* asked, Response response);

  const HttpAccess access_;
  const Answer answer_;
  size_t unread_bytes_ = 0;
  bool running_ = false;
  event_base* const base_;
  event* wait_over_ = nullptr;
  event* woken_ = nullptr;
  evhttp* http_ = nullptr;
  std::optional<HttpConnections> connections_;
};

}  // namespace peal::server::monitor
