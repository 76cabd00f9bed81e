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
#include <cstring>

#include "tools/bench/clock.hpp"

namespace peal::bench {
namespace {

// What the socket is asked for at a time: as much as the last receives were like.
constexpr size_t receive_bytes_min = 16 * 1024;
constexpr size_t receive_bytes_max = 256 * 1024;

// One send encrypts so much: several records. Where it must not wait for long, one.
constexpr size_t encrypt_bytes_max = 128 * 1024;
constexpr size_t record_bytes_max = 16 * 1024;

std::string reason_of(unsigned long error) {
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "no reason was given" : reason;
}

std::string library_reason() { return reason_of(ERR_get_error()); }

/// Why a file of `kind` was not taken.
std::string file_reason(const char* kind) {
  const unsigned long error = ERR_get_error();
  const int library = ERR_GET_LIB(error), reason = ERR_GET_REASON(error);
  if ((library == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) ||
      (library == ERR_LIB_X509 && reason == X509_R_NO_CERTIFICATE_OR_CRL_FOUND) ||
      (library == ERR_LIB_OSSL_DECODER && reason == ERR_R_UNSUPPORTED)) {
    return fmt::format("it holds no {} in PEM", kind);
  }
  if (library == ERR_LIB_X509 && reason == X509_R_KEY_VALUES_MISMATCH) {
    return "it is not the key of --tlscert";
  }
  return reason_of(error);
}

/// Why a session has failed: in our words where the other side's alert is about our certificate.
std::string session_reason(SSL* session) {
  const unsigned long error = ERR_get_error();
  const int alert =
      ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET : 0;
  const bool ours = SSL_get_certificate(session) != nullptr;
  // TLS 1.2 has no word of its own for one that is missing.
  if (alert == SSL_AD_CERTIFICATE_REQUIRED || (alert == SSL_AD_BAD_CERTIFICATE && !ours)) {
    return "it wants a certificate of ours: --tlscert and --tlskey show one";
  }
  return reason_of(error);
}

bool takes_more(int fd) {
  pollfd watched{fd, POLLOUT, 0};
  return ::poll(&watched, 1, 0) > 0;
}

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
    if (!loaded) return fmt::format("--tlsca {}: {}", choice.ca_file, file_reason("certificate"));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (choice.cert_file.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, choice.cert_file.c_str()) != 1) {
    return fmt::format("--tlscert {}: {}", choice.cert_file, file_reason("certificate"));
  }
  if (SSL_CTX_use_PrivateKey_file(context, choice.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fmt::format("--tlskey {}: {}", choice.key_file, file_reason("private key"));
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
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (auto error = load(context, choice)) return *std::move(error);
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(static_cast<SSL_CTX*>(context_)); }

// The library reads and writes through this: a system call for many records, where its own would be
// two for each.
struct TlsStream::Method {
  static TlsStream& of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, size_t bytes, size_t* done) {
    TlsStream& stream = of(bio);
    BIO_clear_retry_flags(bio);
    if (stream.in_begin_ == stream.in_end_ && !stream.fill()) {
      *done = 0;
      if (errno == EAGAIN) BIO_set_retry_read(bio);
      return 0;
    }
    *done = std::min(bytes, stream.in_end_ - stream.in_begin_);
    std::memcpy(out, stream.in_.data() + stream.in_begin_, *done);
    stream.in_begin_ += *done;
    return 1;
  }

  static int write(BIO* bio, const char* bytes, size_t count, size_t* done) {
    of(bio).out_.append(bytes, count);
    *done = count;
    return 1;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return of(bio).ended_ ? 1 : 0;
    if (command != BIO_CTRL_FLUSH) return 0;
    return of(bio).flush(0) ? 1 : -1;
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* const fresh =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peal-bench connection");
      if (fresh == nullptr) return fresh;
      BIO_meth_set_read_ex(fresh, read);
      BIO_meth_set_write_ex(fresh, write);
      BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

TlsStream::~TlsStream() { SSL_free(ssl(session_)); }

std::optional<std::string> TlsStream::begin(int fd, const std::string& host) {
  fd_ = fd;
  session_ = SSL_new(static_cast<SSL_CTX*>(context_->context_));
  BIO* const bio = BIO_new(Method::method());
  if (session_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return "TLS: " + library_reason();
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl(session_), bio, bio);
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
  forget_errors();
  if (SSL_connect(ssl(session_)) == 1) return {};
  const long verdict = SSL_get_verify_result(ssl(session_));
  if (verdict != X509_V_OK) {
    return fmt::format("its certificate is not to be trusted: {}",
                       X509_verify_cert_error_string(verdict));
  }
  failure();
  if (errno == EAGAIN) return fmt::format("no TLS handshake in {} s", patience_s);
  if (errno == EPROTO) return "the TLS handshake failed: " + reason_;
  return std::string("the TLS handshake failed: ") +
         (errno == 0 ? "the connection was closed" : std::strerror(errno));
}

// What is encrypted has been taken, whether or not the socket has all of it yet.
ssize_t TlsStream::send(const char* bytes, size_t count, int flags) {
  const bool may_wait = (flags & MSG_DONTWAIT) == 0;
  if (!may_wait && !takes_more(fd_)) return errno = EAGAIN, -1;
  if (!flush(0)) return -1;
  forget_errors();
  size_t taken = 0;
  count = std::min(count, may_wait ? encrypt_bytes_max : record_bytes_max);
  if (SSL_write_ex(ssl(session_), bytes, count, &taken) != 1) return failure();
  if (!flush(0) && errno != EAGAIN) return -1;
  return static_cast<ssize_t>(taken);
}

ssize_t TlsStream::receive(char* bytes, size_t count, int flags) {
  if (!flush(MSG_DONTWAIT) && errno != EAGAIN) return -1;
  size_t got = 0;
  receive_flags_ = flags;
  may_receive_ = true;
  while (got < count) {
    forget_errors();
    size_t more = 0;
    if (SSL_read_ex(ssl(session_), bytes + got, count - got, &more) != 1) {
      if (got == 0) return failure();
      break;
    }
    got += more;
    may_receive_ = false;  // What has come is enough.
  }
  has_rest_ = got == count && (SSL_pending(ssl(session_)) > 0 || in_begin_ < in_end_);
  return static_cast<ssize_t>(got);
}

// From the socket, once. False with errno as receive has it.
bool TlsStream::fill() {
  if (!may_receive_) return errno = EAGAIN, false;
  const bool was_full = in_end_ == in_.size();
  if (was_full) in_.resize(std::clamp(2 * in_.size(), receive_bytes_min, receive_bytes_max));
  ssize_t got;
  do {
    got = ::recv(fd_, in_.data(), in_.size(), receive_flags_);
  } while (got < 0 && errno == EINTR);
  ended_ = got == 0;
  if (got <= 0) {
    if (got == 0) errno = 0;
    return false;
  }
  in_begin_ = 0;
  in_end_ = static_cast<size_t>(got);
  return true;
}

// All of what is encrypted, to the socket. False with errno as send has it.
bool TlsStream::flush(int flags) {
  size_t done = 0;
  while (done < out_.size()) {
    const ssize_t sent = ::send(fd_, out_.data() + done, out_.size() - done, MSG_NOSIGNAL | flags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;
    done += static_cast<size_t>(sent);
  }
  out_.erase(0, done);
  return out_.empty();
}

// What the socket would have said.
ssize_t TlsStream::failure() {
  switch (SSL_get_error(ssl(session_), 0)) {
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_SYSCALL:
      if (errno == 0) return 0;  // The end, without a farewell.
      return -1;
    default:
      if (reason_.empty()) reason_ = session_reason(ssl(session_));
      errno = EPROTO;
      return -1;
  }
}

}  // namespace peal::bench
