#include "server/monitor/http_server.hpp"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "core/memory.hpp"
#include "server/secret.hpp"

namespace peal::server::monitor {
namespace {

// What an answer says of itself beyond its type. The page is one file and asks nobody else for
// anything; whatever a client calls itself, no browser may take it for a program.
constexpr const char* page_policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src "
    "'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A proxy may ask for the whole URL: RFC 9112, 3.2.2.
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t path = target.find('/', scheme.size());
    return path == target.npos ? "/" : target.substr(path);
  }
  return target;
}

/// Who has a base address that ends with a slash, and adds a path to it.
std::string with_single_slashes(std::string path) {
  path.erase(std::unique(path.begin(), path.end(),
                         [](char before, char after) { return before == '/' && after == '/'; }),
             path.end());
  return path;
}

// What the library says of one peer helps nobody; what it dies of does.
void library_says(int severity, const char* text) {
  if (severity == EVENT_LOG_ERR) std::fprintf(stderr, "libevent: %s\n", text);
}

// The library does not look at all of what it asks for, and would crash where there is no more.
void* reallocate_or_end(void* old, size_t bytes) {
  void* const memory = std::realloc(old, bytes);
  if (memory == nullptr && bytes > 0) core::end_out_of_memory();
  return memory;
}

// Its environment variables are not for this program, and one thread needs no locks.
event_base* make_base() {
  event_set_mem_functions(core::allocate_or_end, reallocate_or_end, std::free);
  event_set_log_callback(library_says);
  event_config* const config = event_config_new();
  if (config == nullptr) return nullptr;
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK);
  event_base* const base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

/// A body that is sent from where it is until its client has it, or has gone.
struct Unread {
  std::string body;
  size_t& unread_bytes;
};

void forget(const void*, size_t, void* unread) {
  auto* const gone = static_cast<Unread*>(unread);
  gone->unread_bytes -= gone->body.size();
  delete gone;
}

void add_body(evbuffer* out, std::string body, size_t& unread_bytes) {
  if (body.empty()) return;
  unread_bytes += body.size();
  auto* const unread = new Unread{std::move(body), unread_bytes};
  // In pieces, since TLS takes a piece at once, and others wait for that; all go with the last.
  constexpr size_t piece_bytes_max = 64 * 1024;
  for (std::string_view left = unread->body; !left.empty();) {
    const std::string_view piece = left.substr(0, piece_bytes_max);
    left.remove_prefix(piece.size());
    const bool last = left.empty();
    if (evbuffer_add_reference(out, piece.data(), piece.size(), last ? forget : nullptr,
                               last ? unread : nullptr) != 0) {
      core::end_out_of_memory();
    }
  }
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

bool has(evhttp_request* asked, const char* name) {
  return evhttp_find_header(evhttp_request_get_input_headers(asked), name) != nullptr;
}

std::string_view header(evhttp_request* asked, const char* name) {
  const char* const value = evhttp_find_header(evhttp_request_get_input_headers(asked), name);
  return value == nullptr ? "" : value;
}

bool is_word(std::string_view text, std::string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

bool closes(evhttp_request* asked) {
  const char* const ours =
      evhttp_find_header(evhttp_request_get_output_headers(asked), "Connection");
  return ours != nullptr || is_word(header(asked, "Connection"), "close");
}

// With other methods the library leaves a body where it is, and would take it for the next request.
bool reads_body(std::string_view method) { return method == "GET" || method == "POST"; }

bool has_body(evhttp_request* asked) {
  return has(asked, "Content-Length") || has(asked, "Transfer-Encoding");
}

bufferevent* stream_of(evhttp_request* asked) {
  return evhttp_connection_get_bufferevent(evhttp_request_get_connection(asked));
}

// The library has more methods than its type has values, which is why nobody else keeps one.
std::string_view method_of(evhttp_request* asked) {
  switch (evhttp_request_get_command(asked)) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_POST:
      return "POST";
    default:
      return "another";
  }
}

// Of an address such as %2Fvarz, or of a part of a query, where a plus is a blank.
std::string decoded(std::string_view text, bool plus_is_blank) {
  size_t bytes = 0;
  char* const plain = evhttp_uridecode(std::string(text).c_str(), plus_is_blank ? 1 : 0, &bytes);
  if (plain == nullptr) core::end_out_of_memory();
  std::string copy(plain, bytes);
  std::free(plain);
  return copy;
}

Query parse_query(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> values;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.size(), pair.find('='));
    const std::string_view value = pair.substr(std::min(pair.size(), equals + 1));
    values.emplace_back(decoded(pair.substr(0, equals), true), decoded(value, true));
  }
  return Query(std::move(values));
}

}  // namespace

HttpServer::HttpServer(int listener, int wake, HttpAccess access,
                       HttpConnections::Certificates certificates, Answer answer)
    : access_(std::move(access)), answer_(std::move(answer)), base_(make_base()) {
  // The longest line and its end have to fit, and a body as a whole.
  constexpr size_t held_bytes_max = head_bytes_max + body_bytes_max;
  connections_.emplace(base_, std::move(certificates), held_bytes_max);
  running_ = base_ != nullptr && start(listener, wake);
  if (http_ == nullptr) ::close(listener);
}

bool HttpServer::start(int listener, int wake) {
  // Who asks on and on would keep the loop from its end.
  const auto turn_over = [](evutil_socket_t, short, void* base) {
    event_base_loopbreak(static_cast<event_base*>(base));
  };
  wait_over_ = event_new(base_, -1, 0, turn_over, base_);
  woken_ = event_new(base_, wake, EV_READ | EV_PERSIST, turn_over, base_);
  if (wait_over_ == nullptr || woken_ == nullptr || event_add(woken_, nullptr) != 0) return false;
  evutil_make_socket_nonblocking(listener);
  evhttp* const http = evhttp_new(base_);
  if (http == nullptr) return false;
  evhttp_set_max_headers_size(http, head_bytes_max);
  evhttp_set_max_body_size(http, body_bytes_max);
  evhttp_set_default_content_type(http, nullptr);
  evhttp_set_allowed_methods(http, UINT16_MAX);  // What is not for us is refused in our words.
  evhttp_set_bevcb(
      http,
      [](event_base*, void* connections) noexcept {
        return static_cast<HttpConnections*>(connections)->make();
      },
      &*connections_);
  evhttp_set_gencb(
      http,
      [](evhttp_request* asked, void* server) noexcept {
        static_cast<HttpServer*>(server)->handle(asked);
      },
      this);
  evhttp_bound_socket* const bound = evhttp_accept_socket_with_handle(http, listener);
  if (bound == nullptr) {
    evhttp_free(http);
    return false;
  }
  http_ = http;
  return connections_->accepted_by(evhttp_bound_socket_get_listener(bound));
}

HttpServer::~HttpServer() {
  if (http_ != nullptr) evhttp_free(http_);
  connections_.reset();
  if (wait_over_ != nullptr) event_free(wait_over_);
  if (woken_ != nullptr) event_free(woken_);
  if (base_ != nullptr) event_base_free(base_);
}

void HttpServer::run(int wait_ms) {
  const timeval wait{wait_ms / 1000, wait_ms % 1000 * 1000};
  if (wait_ms >= 0) event_add(wait_over_, &wait);
  event_base_loop(base_, EVLOOP_ONCE);
  event_del(wait_over_);
  connections_->sweep();
}

void HttpServer::handle(evhttp_request* asked) {
  connections_->asked(stream_of(asked));
  evhttp_request_set_on_complete_cb(
      asked,
      [](evhttp_request* done, void* connections) noexcept {
        static_cast<HttpConnections*>(connections)->answered(stream_of(done), closes(done));
      },
      &*connections_);
  send(asked, respond(asked));
}

bool HttpServer::may_ask(std::string_view authorization) const {
  if (access_.open()) return true;
  const size_t blank = std::min(authorization.size(), authorization.find(' '));
  const std::string_view scheme = authorization.substr(0, blank);
  const std::string_view given = authorization.substr(std::min(authorization.size(), blank + 1));
  if (!access_.token.empty() && is_word(scheme, "Bearer")) {
    return same_secret(given, access_.token);
  }
  if (access_.user.empty() || !is_word(scheme, "Basic")) return false;
  std::string both = decode_base64(given).value_or("");
  const std::string_view text = both;
  const size_t colon = std::min(text.size(), text.find(':'));
  const std::string_view password = text.substr(std::min(text.size(), colon + 1));
  const bool same = static_cast<int>(same_secret(text.substr(0, colon), access_.user)) &
                    static_cast<int>(same_secret(password, access_.password));
  forget_secret(both);
  return same;
}

Response HttpServer::respond(evhttp_request* asked) {
  if (!may_ask(header(asked, "Authorization"))) {
    return refusal(401, "who are you? user and password, or a token\n");
  }
  if (unread_bytes_ > unread_bytes_max) {
    return refusal(503, "too many answers wait to be read; read them\n");
  }
  const std::string_view address = without_authority(evhttp_request_get_uri(asked));
  const size_t question = std::min(address.size(), address.find('?'));
  const std::string path = with_single_slashes(decoded(address.substr(0, question), false));
  const std::string_view url = path, base = access_.base_path;
  if (!url.starts_with(base) || (url.size() > base.size() && url[base.size()] != '/')) {
    return refusal(404, "404 page not found\n");
  }
  HttpRequest request{.method = method_of(asked), .path = url.substr(base.size())};
  if (request.path.empty()) request.path = "/";
  request.local = is_loopback(evhttp_connection_get_addr(evhttp_request_get_connection(asked)));
  request.from_page = has(asked, "Origin") || has(asked, "Sec-Fetch-Site");
  Query query = parse_query(address.substr(std::min(address.size(), question + 1)));
  return answer_(request, query);
}

void HttpServer::send(evhttp_request* asked, Response response) {
  evkeyvalq* const headers = evhttp_request_get_output_headers(asked);
  const auto say = [headers](const char* name, const std::string& value) {
    evhttp_add_header(headers, name, value.c_str());
  };
  say("Content-Type", std::string(response.content_type));
  say("Content-Length", std::to_string(response.body.size()));
  say("X-Content-Type-Options", "nosniff");
  say("Cache-Control", "no-store");
  if (response.content_type.starts_with("text/html")) say("Content-Security-Policy", page_policy);
  if (response.content_type == json_type && access_.open()) {
    say("Access-Control-Allow-Origin", "*");
  }
  if (response.status == 401) say("WWW-Authenticate", "Basic realm=\"peal\", charset=\"UTF-8\"");
  if (response.status == 405) say("Allow", "GET, HEAD");
  const std::string_view method = method_of(asked);
  if (!reads_body(method) && has_body(asked)) say("Connection", "close");
  if (method != "HEAD") {
    add_body(evhttp_request_get_output_buffer(asked), std::move(response.body), unread_bytes_);
  }
  evhttp_send_reply(asked, response.status, nullptr, nullptr);
}

}  // namespace peal::server::monitor
