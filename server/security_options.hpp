#pragma once
// Who may come in and what each may do, as the operator wrote it: users, accounts, permissions,
// TLS. A value without behaviour; security.hpp makes of it what a running server asks.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace peal::server {

/// What one list says: filters, and for subscribing `filter queue` as well. `allow` absent allows
/// everything; what is in `deny` is denied whatever else says.
struct SubjectRules {
  std::optional<std::vector<std::string>> allow;
  std::vector<std::string> deny;
};

/// For how long, and how often, the reply subject of a message that a client was sent may be
/// published to.
struct ResponseRules {
  int64_t messages_max = 1;                                    // Negative: unlimited.
  std::chrono::nanoseconds expires = std::chrono::minutes(2);  // Negative: never.
};

struct PermissionRules {
  SubjectRules publish;
  SubjectRules subscribe;
  std::optional<ResponseRules> responses;
};

/// By what a client comes. A bit each, for who may come by several.
enum class ConnectionType : uint8_t { standard = 1, websocket = 2 };
inline constexpr uint8_t all_connection_types = 3;

struct UserOptions {
  std::string name;      // Or, when `is_nkey`, the public key.
  std::string password;  // In clear, or its bcrypt hash.
  bool is_nkey = false;
  uint8_t connection_types = all_connection_types;
  std::optional<PermissionRules> permissions;
};

struct AccountOptions {
  std::string name;
  std::vector<UserOptions> users;
  std::optional<PermissionRules> default_permissions;
  // Negative: unlimited.
  int64_t connections_max = -1;
  int64_t subscriptions_max = -1;  // Of each connection.
  int64_t payload_bytes_max = -1;
};

struct CertificatePair {
  std::string certificate_file;
  std::string key_file;
};

/// TLS for clients. Names of ciphers and curves are kept as OpenSSL calls them.
struct TlsOptions {
  std::vector<CertificatePair> certificates;
  std::string ca_file;
  bool verify = false;               // Clients must show a certificate.
  bool verify_and_map = false;       // And are who it says.
  int minor_version_min = 2;         // Of TLS 1.x.
  std::vector<std::string> ciphers;  // TLS 1.2.
  std::vector<std::string> suites;   // TLS 1.3.
  std::vector<std::string> curves;
  std::vector<std::string> pinned_certs;  // SHA-256 of a client's public key, in small hex.
  std::chrono::nanoseconds timeout = std::chrono::seconds(2);
  uint32_t connections_per_second_max = 0;  // 0: unlimited.
  bool handshake_first = false;
  /// With handshake_first: how long a ClientHello is waited for before INFO is sent in clear all
  /// the same. 0: INFO never goes in clear.
  std::chrono::nanoseconds handshake_first_wait{0};

  /// And lets in nobody who has none.
  bool asks_for_certificate() const { return verify || verify_and_map || !pinned_certs.empty(); }
  /// Whether who has this public key is pinned, if anybody has to be.
  bool admits(const std::string& key_sha256) const {
    return pinned_certs.empty() ||
           std::ranges::find(pinned_certs, key_sha256) != pinned_certs.end();
  }
};

struct SecurityOptions {
  std::string user;  // The one user, who has a password and nothing else.
  std::string password;
  std::string token;
  std::vector<UserOptions> users;                      // Of the global account.
  std::optional<PermissionRules> default_permissions;  // Of `users`, and of nobody else.
  std::vector<AccountOptions> accounts;                // All but the global one.
  std::string no_auth_user;
  std::optional<std::chrono::nanoseconds> auth_timeout;
  std::optional<TlsOptions> tls;
  bool allow_non_tls = false;
  ConnectionType connection_type = ConnectionType::standard;  // Of whom these are about.
  /// Others come in where a certificate says who they are: a user without a password is not to be
  /// had by his name alone.
  bool certificates_mapped_elsewhere = false;

  /// Whether anybody has to say who he is.
  bool auth_required() const {
    return !user.empty() || !token.empty() || !users.empty() || accounts_have_users();
  }
  bool accounts_have_users() const {
    return std::ranges::any_of(
        accounts, [](const AccountOptions& account) { return !account.users.empty(); });
  }
};

/// What no single key can know of itself, such as that two users have one name. One sentence, or
/// nothing.
std::optional<std::string> contradiction_in(const SecurityOptions& options);

}  // namespace peal::server
