#include "tools/bench/tls.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace peal::bench {
namespace {

std::string library_reason() {
  const unsigned long error = ERR_get_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "no reason was given" : reason;
}

bool is_ready(int fd, short event) {
  pollfd watched{fd, event, 0};
  return ::poll(&watched, 1, 0) > 0;
}

int int_of(size_t count) { return static_cast<int>(std::min<size_t>(count, INT_MAX)); }

void forget_errors() {
  ERR_clear_error();
  errno = 0;
}

SSL* ssl(void* session) { return static_cast<SSL*>(session); }

std::optional<std::string> load(SSL_CTX* context, const TlsChoice& choice) {
  if (!choice.insecure) {
    const bool loaded = choice.ca_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context) == 1
                            : SSL_CTX_load_verify_file(context, choice.ca_file.c_str()) == 1;
    if (!loaded) return fmt::format("--tlsca {}: {}", choice.ca_file, library_reason());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (choice.cert_file.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, choice.cert_file.c_str()) != 1) {
    return fmt::format("--tlscert {}: {}", choice.cert_file, library_reason());
  }
  if (SSL_CTX_use_PrivateKey_file(context, choice.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fmt::format("--tlskey {}: {}", choice.key_file, library_reason());
  }
  return {};
}

}  // namespace

std::variant<std::shared_ptr<const TlsContext>, std::string> TlsContext::make(
    const TlsChoice& choice) {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) return "TLS: " + library_reason();
  std::shared_ptr<const TlsContext> made(new TlsContext(context, choice.insecure));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A record that is no data (a ticket, a key) ends a receive that must not wait for more.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (auto error = load(context, choice)) return *std::move(error);
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(static_cast<SSL_CTX*>(context_)); }

TlsStream::~TlsStream() { SSL_free(ssl(session_)); }

std::optional<std::string> TlsStream::begin(int fd, const std::string& host) {
  fd_ = fd;
  session_ = SSL_new(static_cast<SSL_CTX*>(context_->context_));
  if (session_ == nullptr || SSL_set_fd(ssl(session_), fd) != 1) return "TLS: " + library_reason();
  in6_addr address;
  const bool numeric = inet_pton(AF_INET, host.c_str(), &address) == 1 ||
                       inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (!numeric) SSL_set_tlsext_host_name(ssl(session_), host.c_str());
  if (!context_->insecure_) {
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl(session_));
    if (numeric) {
      X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str());
    } else {
      SSL_set1_host(ssl(session_), host.c_str());
    }
  }
  for (;;) {
    forget_errors();
    const int result = SSL_connect(ssl(session_));
    if (result == 1) return {};
    if (wants_more(result)) continue;
    const long verdict = SSL_get_verify_result(ssl(session_));
    if (verdict != X509_V_OK) {
      return fmt::format("its certificate is not to be trusted: {}",
                         X509_verify_cert_error_string(verdict));
    }
    return "the TLS handshake failed: " + library_reason();
  }
}

ssize_t TlsStream::send(const char* bytes, size_t count, int flags) {
  if ((flags & MSG_DONTWAIT) != 0 && !is_ready(fd_, POLLOUT)) return errno = EAGAIN, -1;
  forget_errors();
  const int sent = SSL_write(ssl(session_), bytes, int_of(count));
  return sent > 0 ? sent : failure(sent);
}

ssize_t TlsStream::receive(char* bytes, size_t count, int flags) {
  if ((flags & MSG_DONTWAIT) != 0 && !has_rest() && !is_ready(fd_, POLLIN)) {
    return errno = EAGAIN, -1;
  }
  int got;
  do {
    forget_errors();
    got = SSL_read(ssl(session_), bytes, int_of(count));
    if (got > 0) return got;
  } while ((flags & MSG_DONTWAIT) == 0 && wants_more(got));
  if (SSL_get_error(ssl(session_), got) == SSL_ERROR_ZERO_RETURN) return 0;
  return failure(got);
}

bool TlsStream::has_rest() const { return session_ != nullptr && SSL_pending(ssl(session_)) > 0; }

// A record came that was no data. Had the socket's patience ended, it would have said so.
bool TlsStream::wants_more(int result) const {
  return SSL_get_error(ssl(session_), result) == SSL_ERROR_WANT_READ && errno != EAGAIN;
}

// What the socket would have said.
ssize_t TlsStream::failure(int result) const {
  switch (SSL_get_error(ssl(session_), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_SYSCALL:
      if (errno == 0) return 0;  // The end, without a farewell.
      return -1;
    default:
      errno = EPROTO;
      return -1;
  }
}

}  // namespace peal::bench
