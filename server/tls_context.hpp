#pragma once
// What all TLS connections of a server share: certificates, versions, ciphers, who must show a
// certificate. Made from options, and made anew when they are reloaded; connections that exist keep
// the one that they began with. It knows files and OpenSSL; it must never know a connection.
//
// Any thread may hold it and make sessions of it.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "server/security_options.hpp"

struct ssl_ctx_st;

namespace peal::server {

class TlsContext {
 public:
  /// Reads the files. The error is one sentence that names what is wrong with which.
  static std::variant<std::shared_ptr<const TlsContext>, std::string> make(
      const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const TlsOptions& options() const { return options_; }
  ssl_ctx_st* raw() const { return contexts_.front().get(); }
  /// When the first certificate ends, since 1970.
  int64_t not_after_unix_s() const;

  /// That of the certificate that is for this host name; the first when none is.
  ssl_ctx_st* for_host(const char* host) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(const TlsOptions& options) : options_(options) {}

  const TlsOptions options_;
  std::vector<std::unique_ptr<ssl_ctx_st, Free>> contexts_;  // One for each certificate.
};

}  // namespace peal::server
