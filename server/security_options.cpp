#include "server/security_options.hpp"

#include <fmt/format.h>

#include <unordered_set>

namespace peal::server {
namespace {

std::optional<std::string> duplicate_in(const SecurityOptions& options) {
  std::unordered_set<std::string> accounts, users;
  const auto add_users = [&](const std::vector<UserOptions>& added) -> std::optional<std::string> {
    for (const UserOptions& user : added) {
      if (!users.insert(user.name).second) {
        return fmt::format("user \"{}\" is there twice; a name belongs to one account", user.name);
      }
    }
    return {};
  };
  if (auto error = add_users(options.users)) return error;
  for (const AccountOptions& account : options.accounts) {
    if (!accounts.insert(account.name).second) {
      return fmt::format("account \"{}\" is there twice", account.name);
    }
    if (auto error = add_users(account.users)) return error;
  }
  if (!options.no_auth_user.empty() && !users.contains(options.no_auth_user)) {
    return fmt::format("no_auth_user: \"{}\" is none of the users of authorization or accounts",
                       options.no_auth_user);
  }
  return {};
}

}  // namespace

std::optional<std::string> contradiction_in(const SecurityOptions& options) {
  const bool simple_user = !options.user.empty() || !options.password.empty();
  // Beside users it may stand for itself: PASS: ... is often a variable of theirs.
  const bool others = !options.users.empty() || !options.accounts.empty();
  if (options.user.empty() && simple_user && !others) {
    return "a password without a user (authorization: pass, --pass); name the user";
  }
  if (simple_user && !options.token.empty()) {
    return "a user and a token cannot both be asked for (authorization: user and token, --user and "
           "--auth); leave out one";
  }
  if (!options.users.empty() && !options.user.empty()) {
    return "a single user and an array of users cannot both be there (authorization: user and "
           "users, "
           "--user); add the one to the others";
  }
  if (!options.users.empty() && !options.token.empty()) {
    return "a token and an array of users cannot both be there (authorization: token and users, "
           "--auth); leave out one";
  }
  if (options.tls) {
    const TlsOptions& tls = *options.tls;
    for (const CertificatePair& pair : tls.certificates) {
      if (pair.certificate_file.empty() || pair.key_file.empty()) {
        return "tls needs a certificate and its key: cert_file and key_file, --tlscert and "
               "--tlskey";
      }
    }
    if ((tls.verify || tls.verify_and_map) && options.allow_non_tls) {
      return "allow_non_tls and tls { verify } cannot both be there: who comes without TLS shows "
             "no "
             "certificate";
    }
    if (options.allow_non_tls && tls.handshake_first) {
      return "allow_non_tls and tls { handshake_first } cannot both be there; leave out one";
    }
  } else if (options.allow_non_tls) {
    return "allow_non_tls needs a tls block";
  }
  return duplicate_in(options);
}

}  // namespace peal::server
