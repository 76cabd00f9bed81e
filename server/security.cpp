#include "server/security.hpp"

#include <algorithm>
#include <cassert>
#include <unordered_set>

#include "server/secret.hpp"

namespace peal::server {
namespace {

using namespace std::chrono_literals;

// As in nats-server: two seconds, and with TLS one more than its handshake has.
constexpr std::chrono::nanoseconds auth_timeout_default = 2s;
constexpr std::chrono::nanoseconds auth_after_handshake = 1s;

std::shared_ptr<const Permissions> permissions_of(
    const std::optional<PermissionRules>& own, const std::optional<PermissionRules>& by_default) {
  if (own) return std::make_shared<const Permissions>(*own);
  if (by_default) return std::make_shared<const Permissions>(*by_default);
  return nullptr;
}

std::shared_ptr<AccountUse> use_of(std::string_view name, const Security* previous) {
  for (AccountId id = 0; previous != nullptr && id < previous->accounts(); id++) {
    if (previous->account(id)->name == name) return previous->account(id)->use;
  }
  return std::make_shared<AccountUse>();
}

}  // namespace

PasswordProof::~PasswordProof() { forget_secret(password); }

bool holds(const Proof& proof) {
  if (const auto* const password = std::get_if<PasswordProof>(&proof)) {
    return password_matches_hash(password->password, password->hash);
  }
  const auto& signed_nonce = std::get<SignatureProof>(proof);
  return verify_signature(signed_nonce.key, signed_nonce.nonce, signed_nonce.signature);
}

void forget_secrets(protocol::ConnectOptions& options) {
  for (std::string* const secret :
       {&options.pass, &options.auth_token, &options.sig, &options.jwt, &options.proxy_sig}) {
    forget_secret(*secret);
  }
}

std::shared_ptr<const Security> Security::make(const SecurityOptions& options,
                                               const Security* previous) {
  assert(!contradiction_in(options));
  const std::shared_ptr<Security> made(new Security);
  made->auth_required_ = options.auth_required();
  // Beside the one user there is nobody that a certificate could name: he has to say his password.
  made->maps_certificates_ =
      options.tls && options.tls->verify_and_map && options.user.empty() && options.token.empty();
  made->certificates_mapped_elsewhere_ = options.certificates_mapped_elsewhere;
  if (made->maps_certificates_) made->auth_required_ = true;
  made->auth_timeout_ = options.auth_timeout.value_or(
      options.tls ? options.tls->timeout + auth_after_handshake : auth_timeout_default);
  made->add_accounts(options, previous);
  made->add_users(options.users, made->accounts_.front(), options.default_permissions,
                  options.connection_type);
  for (const AccountOptions& account : options.accounts) {
    const auto known = std::ranges::find_if(
        made->accounts_, [&](const auto& each) { return each->name == account.name; });
    made->add_users(account.users, *known, account.default_permissions, options.connection_type);
  }
  if (!options.user.empty() || !options.token.empty()) {
    User single;
    single.name = options.user;
    single.password = options.token.empty() ? options.password : options.token;
    single.account = made->accounts_.front();
    made->single_ = std::make_shared<const User>(std::move(single));
    made->token_ = options.token;
  }
  for (const auto* const users : {&made->users_, &made->nkeys_}) {
    const auto place = users->find(options.no_auth_user);
    if (place != users->end()) made->default_user_ = place->second;
  }
  // What is not right costs what a wrong password for a hash costs, if there is one.
  made->decoy_ = random_base64(16);
  const auto take_dearer = [&decoy = made->decoy_](const std::string& secret) {
    constexpr size_t cost_at = 4, cost_digits = 2;
    if (!is_password_hash(secret)) return;
    const bool dearer = !is_password_hash(decoy) ||
                        secret.compare(cost_at, cost_digits, decoy, cost_at, cost_digits) > 0;
    if (dearer) decoy = secret;
  };
  for (const auto& [name, user] : made->users_) take_dearer(user->password);
  take_dearer(options.password);
  return made;
}

// Ids are given once: interest and mailboxes know accounts by them, and a reload must not make one
// account another.
void Security::add_accounts(const SecurityOptions& options, const Security* previous) {
  std::unordered_set<std::string_view> wanted_names{global_account_name};
  for (const AccountOptions& wanted : options.accounts) wanted_names.insert(wanted.name);
  for (AccountId id = 0; previous != nullptr && id < previous->accounts(); id++) {
    Account account = *previous->account(id);
    account.removed = !wanted_names.contains(account.name);
    accounts_.push_back(std::make_shared<const Account>(std::move(account)));
  }
  if (accounts_.empty()) {
    Account global;
    global.name = global_account_name;
    global.use = std::make_shared<AccountUse>();
    accounts_.push_back(std::make_shared<const Account>(std::move(global)));
  }
  for (const AccountOptions& wanted : options.accounts) {
    auto place = std::ranges::find_if(accounts_,
                                      [&](const auto& each) { return each->name == wanted.name; });
    if (place == accounts_.end()) place = accounts_.insert(place, nullptr);
    Account account;
    account.name = wanted.name;
    account.id = static_cast<AccountId>(place - accounts_.begin());
    account.connections_max = wanted.connections_max;
    account.subscriptions_max = wanted.subscriptions_max;
    account.payload_bytes_max = wanted.payload_bytes_max;
    account.use = use_of(wanted.name, previous);
    *place = std::make_shared<const Account>(std::move(account));
  }
}

void Security::add_users(const std::vector<UserOptions>& users,
                         const std::shared_ptr<const Account>& account,
                         const std::optional<PermissionRules>& default_permissions,
                         ConnectionType type) {
  for (const UserOptions& wanted : users) {
    if ((wanted.connection_types & static_cast<uint8_t>(type)) == 0) continue;
    User user;
    user.name = wanted.name;
    user.password = wanted.password;
    user.is_nkey = wanted.is_nkey;
    user.account = account;
    user.permissions = permissions_of(wanted.permissions, default_permissions);
    if (wanted.is_nkey) {
      const auto key = decode_user_nkey(wanted.name);
      assert(key);
      user.nkey = *key;
    }
    auto& place = wanted.is_nkey ? nkeys_ : users_;
    const auto added = place.emplace(wanted.name, std::make_shared<const User>(std::move(user)));
    if (maps_certificates_ && !wanted.is_nkey) add_subject(added.first->second);
  }
}

// Of two users who are called the same but for the spelling, the first is meant.
void Security::add_subject(const UserRef& user) {
  const auto name = DistinguishedName::parse(user->name);
  if (!name) return;
  subjects_in_order_.emplace(name->key_in_order(), user);
  subjects_in_any_order_.emplace(name->key_in_any_order(), user);
}

bool Security::says_who(const protocol::ConnectOptions& options) const {
  return !options.user.empty() || !options.pass.empty() || !options.auth_token.empty() ||
         (!options.nkey.empty() && !nkeys_.empty());
}

// In nats-server's order: nkey, users, token, the one user.
Attempt Security::try_connect(const protocol::ConnectOptions& options, std::string_view nonce,
                              const UserRef& certificate_user) const {
  if (!maps_certificates_ && !says_who(options)) {
    return {.user = default_user_, .proof = nullptr, .by_default = true};
  }
  if (!options.nkey.empty() && !nkeys_.empty()) {
    const auto place = nkeys_.find(options.nkey);
    const auto signature = decode_base64(options.sig);
    // Who was greeted before any key could be asked for has nothing that a signature could cover.
    if (place == nkeys_.end() || !signature || nonce.empty()) return {};
    return {place->second, std::make_unique<Proof>(SignatureProof{place->second->nkey,
                                                                  std::string(nonce), *signature})};
  }
  if (maps_certificates_) {
    // The certificate says who; a password that was set for him is asked for all the same.
    if (certificate_user == nullptr) return {};
    if (certificate_user->password.empty()) return {certificate_user, nullptr};
    return try_password(certificate_user, options.pass);
  }
  if (!users_.empty()) {
    const auto place = users_.find(options.user);
    const UserRef user = place == users_.end() ? nullptr : place->second;
    if (user != nullptr && user->password.empty() && certificates_mapped_elsewhere_) return {};
    return try_password(user, options.pass);
  }
  if (single_ == nullptr) return {};
  if (!token_.empty()) {
    if (!is_password_hash(token_)) {
      return {same_secret(token_, options.auth_token) ? single_ : nullptr, nullptr};
    }
    return {single_, std::make_unique<Proof>(PasswordProof{options.auth_token, token_})};
  }
  return try_password(same_secret(single_->name, options.user) ? single_ : nullptr, options.pass);
}

Attempt Security::try_password(const UserRef& user, const std::string& password) const {
  const std::string& secret = user != nullptr ? user->password : decoy_;
  if (is_password_hash(secret)) {
    return {user, std::make_unique<Proof>(PasswordProof{password, secret})};
  }
  if (same_secret(secret, password) && user != nullptr) return {user, nullptr};
  if (!is_password_hash(decoy_)) return {};
  return {nullptr, std::make_unique<Proof>(PasswordProof{password, decoy_})};
}

UserRef Security::find_again(const User& user) const {
  UserRef found = single_;
  for (const auto* const users : {&users_, &nkeys_}) {
    if (const auto place = users->find(user.name); place != users->end()) found = place->second;
  }
  const bool same = found != nullptr && found->name == user.name &&
                    found->is_nkey == user.is_nkey && found->account->id == user.account->id &&
                    same_secret(found->password, user.password);
  return same ? found : nullptr;
}

UserRef Security::user_of_certificate(const PeerNames& names) const {
  const auto find = [](const auto& users, const std::string& name) {
    const auto place = users.find(name);
    return place == users.end() ? UserRef() : place->second;
  };
  for (const std::string& name : names.texts) {
    if (UserRef user = find(users_, name)) return user;
  }
  if (!names.subject) return nullptr;
  UserRef user = find(subjects_in_order_, names.subject->key_in_order());
  if (!user) user = find(subjects_in_any_order_, names.subject->key_in_any_order());
  return user;
}

}  // namespace peal::server
