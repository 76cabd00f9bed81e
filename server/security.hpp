#pragma once
// Who may come in: the operator's users and accounts, made ready to be asked. It knows names,
// proofs and limits; it must never know a connection or a subject that is published.
//
// A snapshot: made whole, never changed, held by all shards and by each connection that came in by
// it. A reload makes the next one. Any thread may ask.

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "protocol/connect.hpp"
#include "server/ids.hpp"
#include "server/nkey.hpp"
#include "server/permissions.hpp"
#include "server/security_options.hpp"
#include "server/tls_peer.hpp"

namespace peal::server {

inline constexpr std::string_view global_account_name = "$G";

/// What an account has in use, over all shards. Written when a connection comes or goes; never for
/// a message.
struct AccountUse {
  std::atomic<int64_t> connections{0};
};

struct Account {
  std::string name;
  AccountId id = global_account;
  // Negative: unlimited.
  int64_t connections_max = -1;
  int64_t subscriptions_max = -1;  // Of each connection.
  int64_t payload_bytes_max = -1;
  bool removed = false;             // By a reload. Its id is not given again.
  std::shared_ptr<AccountUse> use;  // Outlives a reload, by the account's name.
};

struct User {
  std::string name;  // Empty: the one of a token.
  std::string password;
  PublicKey nkey{};
  bool is_nkey = false;
  std::shared_ptr<const Account> account;
  std::shared_ptr<const Permissions> permissions;  // nullptr: may do all.
};
using UserRef = std::shared_ptr<const User>;

/// What a client has to be asked for that is too slow for a shard. Self-contained, so that any
/// thread may find out.
struct PasswordProof {
  ~PasswordProof();  // Forgets the password.
  std::string password;
  std::string hash;
};
struct SignatureProof {
  PublicKey key;
  std::string nonce;
  std::string signature;
};
using Proof = std::variant<PasswordProof, SignatureProof>;

/// Slow.
bool holds(const Proof& proof);

/// What came of a CONNECT. With neither user nor proof it is refused; with a proof it is refused
/// unless that holds, and always if there is no user: where there are hashes, any wrong name or
/// password takes as long.
struct Attempt {
  UserRef user;
  std::unique_ptr<Proof> proof;
  bool by_default = false;  // He is who one is that does not say who he is.
};

class Security {
 public:
  /// REQUIRES options without contradiction. `previous` gives accounts their ids and what they have
  /// in use.
  static std::shared_ptr<const Security> make(const SecurityOptions& options,
                                              const Security* previous);

  bool auth_required() const { return auth_required_; }
  bool wants_nonce() const { return !nkeys_.empty(); }
  /// The same user as in a snapshot before this: nullptr when he is gone, or has another password
  /// or account.
  UserRef find_again(const User& user) const;
  std::chrono::nanoseconds auth_timeout() const { return auth_timeout_; }

  /// Whether CONNECT says anything of who it is that could count here.
  bool says_who(const protocol::ConnectOptions& options) const;

  /// Who does not say who he is, is this one; nullptr when he has to.
  const UserRef& default_user() const { return default_user_; }

  /// `certificate_user` is who the client's certificate names, where certificates are mapped.
  Attempt try_connect(const protocol::ConnectOptions& options, std::string_view nonce,
                      const UserRef& certificate_user) const;

  /// The user that a client certificate names: the first of its names that is one, or whose name is
  /// its subject however that is spelled, rather in this order of its parts than in another.
  UserRef user_of_certificate(const PeerNames& names) const;
  bool maps_certificates() const { return maps_certificates_; }

  const std::shared_ptr<const Account>& account(AccountId id) const { return accounts_[id]; }
  size_t accounts() const { return accounts_.size(); }

 private:
  Security() = default;
  void add_accounts(const SecurityOptions& options, const Security* previous);
  void add_users(const std::vector<UserOptions>& users,
                 const std::shared_ptr<const Account>& account,
                 const std::optional<PermissionRules>& default_permissions, ConnectionType type);
  void add_subject(const UserRef& user);
  Attempt try_password(const UserRef& user, const std::string& password) const;

  bool auth_required_ = false;
  bool maps_certificates_ = false;
  bool certificates_mapped_elsewhere_ = false;
  std::chrono::nanoseconds auth_timeout_{};
  std::vector<std::shared_ptr<const Account>> accounts_;  // By id.
  std::unordered_map<std::string, UserRef> users_;
  std::unordered_map<std::string, UserRef> nkeys_;
  // Where certificates are mapped: users whose name is a distinguished one, by its keys.
  std::unordered_map<std::string, UserRef> subjects_in_order_;
  std::unordered_map<std::string, UserRef> subjects_in_any_order_;
  UserRef single_;  // Of the token, or of the one user.
  std::string token_;
  UserRef default_user_;
  std::string decoy_;  // Stands in for the password of a user who is not there.
};

/// Overwrites what must not lie in memory longer than needed.
void forget_secrets(protocol::ConnectOptions& options);

}  // namespace peal::server
