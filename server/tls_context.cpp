#include "server/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "core/error_text.hpp"

namespace peal::server {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ":") + name;
  return text;
}

/// What the library says of the call that has just failed.
std::string library_error() {
  // What the system refused is said first, and is what helps.
  const unsigned long first = ERR_peek_error();
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(first)) return core::error_text(ERR_GET_REASON(first));
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "it cannot be read" : reason;
}

// A key with a pass phrase would make the library ask for it on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

int choose_certificate(SSL* session, int*, void* context) {
  const char* const host = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (host != nullptr) {
    SSL_set_SSL_CTX(session, static_cast<const TlsContext*>(context)->for_host(host));
  }
  return SSL_TLSEXT_ERR_OK;
}

std::string load_certificate(SSL_CTX* context, const CertificatePair& pair) {
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context, pair.certificate_file.c_str()) != 1) {
    return fmt::format("tls: cert_file {}: {}", pair.certificate_file, library_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context, pair.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fmt::format("tls: key_file {}: {}", pair.key_file, library_error());
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return fmt::format("tls: the key in {} is not that of the certificate in {}", pair.key_file,
                       pair.certificate_file);
  }
  return {};
}

std::string set_ciphers(SSL_CTX* context, const TlsOptions& options) {
  // What is not named: only what has forward secrecy. Keys of 128 bits come first, as in
  // nats-server: nobody guesses them, and they cost a tenth less.
  const std::string ciphers = options.ciphers.empty()
                                  ? "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20"
                                  : joined(options.ciphers);
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1) {
    return fmt::format("tls: cipher_suites {}: {}", ciphers, library_error());
  }
  const std::string suites =
      options.suites.empty()
          ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
          : joined(options.suites);
  if (SSL_CTX_set_ciphersuites(context, suites.c_str()) != 1) {
    return fmt::format("tls: cipher_suites {}: {}", suites, library_error());
  }
  if (!options.curves.empty() &&
      SSL_CTX_set1_groups_list(context, joined(options.curves).c_str()) != 1) {
    return fmt::format("tls: curve_preferences {}: {}", joined(options.curves), library_error());
  }
  return {};
}

std::string set_verification(SSL_CTX* context, const TlsOptions& options) {
  if (!options.asks_for_certificate()) return {};
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    return fmt::format("tls: ca_file {}: {}", options.ca_file, library_error());
  }
  // The names of whom we trust, so that a client with several certificates knows which to show.
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.ca_file.c_str()));
  return {};
}

// Who comes back with a ticket is not verified again, so a certificate that has ended since leads
// to a whole handshake, which fails by it.
SSL_TICKET_RETURN take_ticket(SSL*, SSL_SESSION* session, const unsigned char*, size_t,
                              SSL_TICKET_STATUS status, void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  const X509* const certificate = SSL_SESSION_get0_peer(session);
  if (certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

std::string prepare(SSL_CTX* context, const TlsOptions& options, const CertificatePair& pair) {
  SSL_CTX_set_min_proto_version(context,
                                options.minor_version_min >= 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // A connection with nothing to say has no buffer.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Clients come back with a ticket, so that nothing has to be kept here for them.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_session_ticket_cb(context, nullptr, take_ticket, nullptr);
  constexpr unsigned char sessions_of[] = "peal";
  SSL_CTX_set_session_id_context(context, sessions_of, sizeof sessions_of - 1);
  std::string error = load_certificate(context, pair);
  if (error.empty()) error = set_ciphers(context, options);
  if (error.empty()) error = set_verification(context, options);
  return error;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
TlsContext::~TlsContext() = default;

std::variant<std::shared_ptr<const TlsContext>, std::string> TlsContext::make(
    const TlsOptions& options) {
  const std::shared_ptr<TlsContext> made(new TlsContext(options));
  for (const CertificatePair& pair : options.certificates) {
    made->contexts_.emplace_back(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* const context = made->contexts_.back().get();
    if (context == nullptr) return "tls: " + library_error();
    if (std::string error = prepare(context, options, pair); !error.empty()) return error;
  }
  if (made->contexts_.empty()) return "tls needs a certificate: cert_file and key_file";
  if (made->contexts_.size() > 1) {
    SSL_CTX_set_tlsext_servername_callback(made->raw(), choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(made->raw(), made.get());
  }
  return made;
}

int64_t TlsContext::not_after_unix_s() const {
  tm ends{};
  ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(raw())), &ends);
  return int64_t{timegm(&ends)};
}

ssl_ctx_st* TlsContext::for_host(const char* host) const {
  for (const auto& context : contexts_) {
    if (X509_check_host(SSL_CTX_get0_certificate(context.get()), host, 0, 0, nullptr) == 1) {
      return context.get();
    }
  }
  return raw();
}

}  // namespace peal::server
