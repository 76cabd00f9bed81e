#pragma once
// TLS on one connection: bytes of the network in and out on one side, plain ones on the other. It
// knows records and certificates; it must never know a descriptor, nor what the plain bytes mean.
//
// One thread at a time: a helper for a step of the handshake, else the connection's.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/tls_context.hpp"
#include "server/tls_peer.hpp"

struct ssl_st;
struct bio_st;

namespace peal::server {

/// A certificate as it is shown to who watches: hashes in small hex.
struct CertificatePicture {
  std::string subject;  // RFC 2253.
  std::string key_sha256, certificate_sha256;
};

class TlsSession {
 public:
  enum class Outcome { done, wants_more, ended, failed };

  explicit TlsSession(std::shared_ptr<const TlsContext> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // ---- The handshake.

  /// Keeps a copy for handshake().
  void add_input(std::string_view bytes) { kept_ += bytes; }
  /// As far as the input goes. Slow: a signature, or the check of a certificate. Its outcome is
  /// kept.
  void handshake();
  Outcome handshake_outcome() const { return handshake_outcome_; }
  /// What went wrong, for the log.
  const std::string& error() const { return error_; }

  /// What the client's certificate calls its owner. Empty without one.
  const PeerNames& peer_names() const { return peer_names_; }

  /// The certificates that the client showed, its own first. None without.
  const std::shared_ptr<const std::vector<CertificatePicture>>& peer_certificates() const {
    return peer_certificates_;
  }

  // ---- After it.

  /// Like "1.3", and as the standard calls the cipher. Both last as long as the process.
  std::string_view version() const;
  std::string_view cipher() const;
  /// It went on with an earlier session.
  bool resumed() const;

  /// Bytes from the network, which must stay until read() has said wants_more, or drop_input().
  void set_input(std::string_view bytes) { input_ = bytes; }
  void drop_input() { input_ = {}; }
  /// Some plain bytes. `filled` is how many; with none the outcome says why.
  Outcome read(std::span<char> out, size_t& filled);

  /// About how many bytes of the network so many plain ones become.
  static constexpr size_t record_bytes(size_t plain_bytes) {
    constexpr size_t plain_bytes_max = 16 * 1024, overhead_bytes_max = 64;
    return plain_bytes + (plain_bytes / plain_bytes_max + 1) * overhead_bytes_max;
  }
  /// Appends to output(). False when the session is broken.
  bool write(std::string_view plain);
  /// Says that nothing more will come.
  void close();

  // ---- For the network.
  std::string& output() { return output_; }

 private:
  struct Method;
  bool begin();
  void look_at_peer();
  Outcome outcome_of(int result);

  std::shared_ptr<const TlsContext> context_;
  ssl_st* session_ = nullptr;  // Until handshake().
  std::string kept_;           // Input of the handshake...
  size_t kept_at_ = 0;         // ...of which so much has been read.
  std::string_view input_;     // And of what comes after.
  std::string output_;
  Outcome handshake_outcome_ = Outcome::wants_more;
  std::string error_;
  PeerNames peer_names_;
  std::shared_ptr<const std::vector<CertificatePicture>> peer_certificates_;
};

}  // namespace peal::server
