#include "server/security_options.hpp"

#include <fmt/format.h>

#include <unordered_set>

#include "server/secret.hpp"

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

std::optional<std::string> cut_hash_in(const SecurityOptions& options) {
  const auto is_cut = [](const std::string& secret) {
    return is_password_hash(secret) && secret.size() < password_hash_bytes;
  };
  const auto error = [](const std::string& whose, const std::string& secret) {
    return fmt::format(
        "{} is a bcrypt hash of {} characters, and a whole one has {}; make one with peal-server "
        "passwd",
        whose, secret.size(), password_hash_bytes);
  };
  if (is_cut(options.token)) return error("the token", options.token);
  if (is_cut(options.password)) return error("the password", options.password);
  const auto in_users = [&](const std::vector<UserOptions>& users) -> std::optional<std::string> {
    for (const UserOptions& user : users) {
      if (!is_cut(user.password)) continue;
      return error(fmt::format("the password of user \"{}\"", user.name), user.password);
    }
    return {};
  };
  if (auto found = in_users(options.users)) return found;
  for (const AccountOptions& account : options.accounts) {
    if (auto found = in_users(account.users)) return found;
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
  if (options.accounts_have_users() && !options.user.empty()) {
    return "a single user and accounts with users cannot both be there (authorization: user, "
           "--user); make it a user of an account";
  }
  if (options.accounts_have_users() && !options.token.empty()) {
    return "a token and accounts with users cannot both be there (authorization: token, --auth); "
           "leave out one";
  }
  if (auto error = cut_hash_in(options)) return error;
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
