#include "server/monitor/http_server.hpp"

#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

#include "server/secret.hpp"

namespace peal::server::monitor {
namespace {

// What an answer says of itself beyond its type. The page is one file and asks nobody else for
// anything; whatever a client calls itself, no browser may take it for a program.
constexpr const char* page_policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src "
    "'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// What the library's TLS may speak, in its words.
constexpr const char* tls12_at_least = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
constexpr const char* tls13_alone = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

/// A body that the library reads from until its client has it, or has gone.
struct Unread {
  std::string body;
  size_t& unread_bytes;
};

void forget(void* unread) {
  auto* const gone = static_cast<Unread*>(unread);
  gone->unread_bytes -= gone->body.size();
  delete gone;
}

ssize_t read_body(void* unread, uint64_t at, char* out, size_t out_bytes) {
  const std::string& body = static_cast<Unread*>(unread)->body;
  const size_t bytes = std::min(out_bytes, body.size() - static_cast<size_t>(at));
  std::memcpy(out, body.data() + at, bytes);
  return static_cast<ssize_t>(bytes);
}

MHD_Result add_value(void* values, MHD_ValueKind, const char* key, const char* value) {
  static_cast<std::vector<std::pair<std::string, std::string>>*>(values)->emplace_back(
      key, value == nullptr ? "" : value);
  return MHD_YES;
}

bool is_loopback(const sockaddr* address) {
  if (address == nullptr) return false;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  }
  if (address->sa_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

// The library calls once when it has the headers, then for each part of a body, then at its end.
// Nothing here has a use for a body.
MHD_Result on_request(void* server, MHD_Connection* connection, const char* url, const char* method,
                      const char*, const char*, size_t* body_bytes, void** seen) {
  static int headers_seen;
  if (*seen == nullptr) {
    *seen = &headers_seen;
    return MHD_YES;
  }
  if (*body_bytes > 0) {
    *body_bytes = 0;
    return MHD_YES;
  }
  return static_cast<HttpServer*>(server)->handle(connection, url, method) != 0 ? MHD_YES : MHD_NO;
}

}  // namespace

HttpServer::HttpServer(int listener, HttpAccess access, std::optional<HttpsIdentity> identity,
                       Answer answer)
    : access_(std::move(access)), identity_(std::move(identity)), answer_(std::move(answer)) {
  ::fcntl(listener, F_SETFL, ::fcntl(listener, F_GETFL) | O_NONBLOCK);
  // In the library's order: which, a number, a pointer.
  std::vector<MHD_OptionItem> tls;
  if (identity_) {
    const auto text = [](const char* chars) { return const_cast<char*>(chars); };
    tls.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, identity_->certificate_pem.data()});
    tls.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, identity_->private_key_pem.data()});
    tls.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0,
                   text(identity_->only_tls13 ? tls13_alone : tls12_at_least)});
  }
  tls.push_back({MHD_OPTION_END, 0, nullptr});
  const unsigned flags = identity_ ? MHD_USE_EPOLL | MHD_USE_TLS : unsigned{MHD_USE_EPOLL};
  daemon_ =
      MHD_start_daemon(flags, 0, nullptr, nullptr, on_request, this, MHD_OPTION_LISTEN_SOCKET,
                       listener, MHD_OPTION_CONNECTION_LIMIT, connections_max,
                       MHD_OPTION_CONNECTION_TIMEOUT, timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                       request_bytes_max, MHD_OPTION_ARRAY, tls.data(), MHD_OPTION_END);
  if (daemon_ == nullptr) ::close(listener);
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
  if (identity_) forget_secret(identity_->private_key_pem);
}

int HttpServer::descriptor() const {
  return MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int HttpServer::wait_ms() const {
  MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
  if (MHD_get_timeout(daemon_, &timeout_ms) != MHD_YES) return -1;
  return static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(timeout_ms, 60'000));
}

void HttpServer::run() { MHD_run(daemon_); }

int HttpServer::handle(MHD_Connection* connection, std::string_view url, std::string_view method) {
  return send(connection, respond(connection, url, method));
}

bool HttpServer::may_ask(MHD_Connection* connection) const {
  if (access_.open()) return true;
  if (!access_.token.empty()) {
    constexpr std::string_view scheme = "Bearer ";
    const char* header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    const std::string_view given = header == nullptr ? std::string_view() : header;
    if (given.starts_with(scheme) && same_secret(given.substr(scheme.size()), access_.token)) {
      return true;
    }
  }
  if (access_.user.empty()) return false;
  char* password = nullptr;
  char* const user = MHD_basic_auth_get_username_password(connection, &password);
  const bool same =
      static_cast<int>(same_secret(user == nullptr ? "" : user, access_.user)) &
      static_cast<int>(same_secret(password == nullptr ? "" : password, access_.password));
  if (user != nullptr) MHD_free(user);
  if (password != nullptr) MHD_free(password);
  return same;
}

Response HttpServer::respond(MHD_Connection* connection, std::string_view url,
                             std::string_view method) {
  if (!may_ask(connection)) return refusal(401, "who are you? user and password, or a token\n");
  if (unread_bytes_ > unread_bytes_max) {
    return refusal(503, "too many answers wait to be read; read them\n");
  }
  const std::string_view base = access_.base_path;
  if (!url.starts_with(base) || (url.size() > base.size() && url[base.size()] != '/')) {
    return refusal(404, "404 page not found\n");
  }
  HttpRequest request{.method = method, .path = url.substr(base.size())};
  if (request.path.empty()) request.path = "/";
  const MHD_ConnectionInfo* const info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  request.local = info != nullptr && is_loopback(info->client_addr);
  request.from_page =
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") != nullptr ||
      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Sec-Fetch-Site") != nullptr;
  std::vector<std::pair<std::string, std::string>> values;
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_value, &values);
  Query query(std::move(values));
  return answer_(request, query);
}

int HttpServer::send(MHD_Connection* connection, Response response) {
  const size_t body_bytes = response.body.size();
  auto* const unread = new Unread{std::move(response.body), unread_bytes_};
  unread_bytes_ += body_bytes;
  constexpr size_t read_bytes = 32 * 1024;
  MHD_Response* const made =
      MHD_create_response_from_callback(body_bytes, read_bytes, read_body, unread, forget);
  if (made == nullptr) {
    forget(unread);
    return 0;
  }
  const auto header = [made](const char* name, const char* value) {
    MHD_add_response_header(made, name, value);
  };
  header("Content-Type", std::string(response.content_type).c_str());
  header("X-Content-Type-Options", "nosniff");
  header("Cache-Control", "no-store");
  if (response.content_type.starts_with("text/html"))
    header("Content-Security-Policy", page_policy);
  if (response.content_type == json_type && access_.open()) {
    header("Access-Control-Allow-Origin", "*");
  }
  if (response.status == 401) header("WWW-Authenticate", "Basic realm=\"peal\", charset=\"UTF-8\"");
  if (response.status == 405) header("Allow", "GET, HEAD");
  const MHD_Result queued =
      MHD_queue_response(connection, static_cast<unsigned>(response.status), made);
  MHD_destroy_response(made);
  return queued == MHD_YES ? 1 : 0;
}

}  // namespace peal::server::monitor
