#include "server/security_text.hpp"

#include <fmt/format.h>

namespace peal::server {
namespace {

// Lengths in front, so that no two values write the same text.
void add(std::string& out, std::string_view text) {
  out += fmt::format("{}:{},", text.size(), text);
}
void add(std::string& out, int64_t number) { out += fmt::format("{},", number); }

void add(std::string& out, const std::vector<std::string>& texts) {
  add(out, static_cast<int64_t>(texts.size()));
  for (const std::string& text : texts) add(out, text);
}

void add(std::string& out, const SubjectRules& rules) {
  add(out, int64_t{rules.allow.has_value()});
  if (rules.allow) add(out, *rules.allow);
  add(out, rules.deny);
}

void add(std::string& out, const std::optional<PermissionRules>& rules) {
  add(out, int64_t{rules.has_value()});
  if (!rules) return;
  add(out, rules->publish);
  add(out, rules->subscribe);
  add(out, int64_t{rules->responses.has_value()});
  if (!rules->responses) return;
  add(out, rules->responses->messages_max);
  add(out, rules->responses->expires.count());
}

void add(std::string& out, const std::vector<UserOptions>& users) {
  add(out, static_cast<int64_t>(users.size()));
  for (const UserOptions& user : users) {
    add(out, user.name);
    add(out, user.password);
    add(out, int64_t{user.connection_types});
    add(out, user.permissions);
  }
}

}  // namespace

std::string authorization_text(const SecurityOptions& options) {
  std::string text;
  add(text, options.user);
  add(text, options.password);
  add(text, options.token);
  add(text, options.users);
  add(text, options.default_permissions);
  if (options.auth_timeout) add(text, options.auth_timeout->count());
  return text;
}

std::string accounts_text(const SecurityOptions& options) {
  std::string text;
  for (const AccountOptions& account : options.accounts) {
    add(text, account.name);
    add(text, account.users);
    add(text, account.default_permissions);
    add(text, account.connections_max);
    add(text, account.subscriptions_max);
    add(text, account.payload_bytes_max);
  }
  return text;
}

std::string tls_text(const std::optional<TlsOptions>& options) {
  std::string text;
  if (!options) return text;
  const TlsOptions& tls = *options;
  for (const CertificatePair& pair : tls.certificates) {
    add(text, pair.certificate_file);
    add(text, pair.key_file);
  }
  add(text, tls.ca_file);
  for (const auto* const list : {&tls.ciphers, &tls.suites, &tls.curves, &tls.pinned_certs}) {
    add(text, *list);
  }
  for (const int64_t number :
       {int64_t{tls.verify}, int64_t{tls.verify_and_map}, int64_t{tls.minor_version_min},
        int64_t{tls.timeout.count()}, int64_t{tls.connections_per_second_max},
        int64_t{tls.handshake_first}, int64_t{tls.handshake_first_wait.count()}}) {
    add(text, number);
  }
  return text;
}

std::string tls_text(const SecurityOptions& options) { return tls_text(options.tls); }

}  // namespace peal::server
