#include "server/tls_session.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>

#include "core/memory.hpp"

namespace peal::server {

// The library reads and writes through this, straight from the receive buffer and into our output.
struct TlsSession::Method {
  static TlsSession& of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, size_t bytes, size_t* done) {
    TlsSession& session = of(bio);
    BIO_clear_retry_flags(bio);
    std::string_view from = session.kept_;
    from.remove_prefix(session.kept_at_);
    const bool kept = !from.empty();
    if (!kept) from = session.input_;
    *done = std::min(bytes, from.size());
    if (*done == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(out, from.data(), *done);
    if (!kept) {
      session.input_.remove_prefix(*done);
      return 1;
    }
    session.kept_at_ += *done;
    if (session.kept_at_ == session.kept_.size()) {
      std::string().swap(session.kept_);
      session.kept_at_ = 0;
    }
    return 1;
  }

  static int write(BIO* bio, const char* bytes, size_t count, size_t* done) {
    of(bio).output_.append(bytes, count);
    *done = count;
    return 1;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* const fresh =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peal connection");
      if (fresh == nullptr) core::end_out_of_memory();
      BIO_meth_set_read_ex(fresh, read);
      BIO_meth_set_write_ex(fresh, write);
      BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

namespace {

std::string sha256_of(const unsigned char* bytes, size_t count) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes, count, digest);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

/// Of what `encode` makes of a part of a certificate.
template <typename Part>
std::string sha256_of(Part* part, int (*encode)(const Part*, unsigned char**)) {
  unsigned char* encoded = nullptr;
  const int bytes = encode(part, &encoded);
  if (bytes <= 0) return {};
  std::string hex = sha256_of(encoded, static_cast<size_t>(bytes));
  OPENSSL_free(encoded);
  return hex;
}

CertificatePicture picture_of(X509* certificate) {
  return {subject_of(certificate), sha256_of(X509_get_X509_PUBKEY(certificate), i2d_X509_PUBKEY),
          sha256_of(certificate, i2d_X509)};
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}

// What the library needs is made by whoever does the handshake: for thousands of newcomers at once
// it would keep a shard from those who are connected.
bool TlsSession::begin() {
  session_ = SSL_new(context_->raw());
  BIO* const bio = BIO_new(Method::method());
  if (session_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return false;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(session_, bio, bio);
  SSL_set_accept_state(session_);
  return true;
}

TlsSession::~TlsSession() { SSL_free(session_); }

void TlsSession::handshake() {
  ERR_clear_error();
  if (session_ == nullptr && !begin()) {
    handshake_outcome_ = Outcome::failed;
    error_ = "out of memory";
    return;
  }
  handshake_outcome_ = outcome_of(SSL_do_handshake(session_));
  if (handshake_outcome_ == Outcome::ended) handshake_outcome_ = Outcome::failed;
  if (handshake_outcome_ == Outcome::done) look_at_peer();
}

void TlsSession::look_at_peer() {
  X509* const certificate = SSL_get1_peer_certificate(session_);
  if (certificate == nullptr) return;
  peer_names_ = names_of(certificate);
  std::vector<CertificatePicture> pictures{picture_of(certificate)};
  if (!context_->options().admits(pictures.front().key_sha256)) {
    handshake_outcome_ = Outcome::failed;
    error_ = "certificate is not pinned";
  }
  // For a server the chain has no leaf.
  STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(session_);
  for (int i = 0; i < sk_X509_num(chain); i++)
    pictures.push_back(picture_of(sk_X509_value(chain, i)));
  peer_certificates_ = std::make_shared<const std::vector<CertificatePicture>>(std::move(pictures));
  X509_free(certificate);
}

std::string_view TlsSession::version() const {
  const std::string_view version = SSL_get_version(session_);  // Like "TLSv1.3".
  return version.substr(std::min(version.size(), std::string_view("TLSv").size()));
}

std::string_view TlsSession::cipher() const {
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(session_);
  return cipher == nullptr ? std::string_view() : SSL_CIPHER_standard_name(cipher);
}

bool TlsSession::resumed() const { return SSL_session_reused(session_) == 1; }

TlsSession::Outcome TlsSession::outcome_of(int result) {
  if (result == 1) return Outcome::done;
  switch (SSL_get_error(session_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Outcome::wants_more;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::ended;
    default: {
      const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
      error_ = reason == nullptr ? "the connection broke" : reason;
      ERR_clear_error();
      return Outcome::failed;
    }
  }
}

TlsSession::Outcome TlsSession::read(std::span<char> out, size_t& filled) {
  filled = 0;
  ERR_clear_error();
  while (filled < out.size()) {
    size_t bytes = 0;
    const int result = SSL_read_ex(session_, out.data() + filled, out.size() - filled, &bytes);
    if (result != 1) return outcome_of(result);
    filled += bytes;
  }
  return Outcome::done;
}

bool TlsSession::write(std::string_view plain) {
  ERR_clear_error();
  size_t done = 0;
  return plain.empty() || SSL_write_ex(session_, plain.data(), plain.size(), &done) == 1;
}

void TlsSession::close() {
  ERR_clear_error();
  SSL_shutdown(session_);
  ERR_clear_error();
}

}  // namespace peal::server
