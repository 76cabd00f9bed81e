// The blocks that say who may come in: what they mean, and what is refused.
#include "server/config_security.hpp"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include "server/config_keys.hpp"
#include "server/config_parser.hpp"
#include "server/options.hpp"

namespace peal::server {
namespace {

using namespace std::chrono_literals;

struct Applied {
  SecurityOptions options;
  std::string error;
  std::vector<std::string> warnings;
};

Applied applied(const std::string& text) {
  Applied result;
  const auto parsed = parse_config_text(text, "c", result.warnings);
  if (const auto* error = std::get_if<std::string>(&parsed)) return {{}, *error, {}};
  for (const ConfigEntry& entry : std::get<ConfigMap>(parsed).entries) {
    Options options;
    options.security = result.options;
    ConfigTarget target{options, result.warnings};
    const auto error = is_security_key(entry.key)
                           ? apply_security(entry.key, entry, options.security, result.warnings)
                           : find_top_key(entry.key)->apply(target, entry.value);
    result.options = options.security;
    if (error) {
      result.error = *error;
      return result;
    }
  }
  if (auto error = contradiction_in(result.options)) result.error = *error;
  return result;
}

TEST_CASE("config security: one user, a token") {
  const Applied user = applied("authorization { user: u, password: p, timeout: 0.5 }");
  CHECK(user.error == "");
  CHECK(user.options.user == "u");
  CHECK(user.options.password == "p");
  CHECK(user.options.auth_timeout == 500ms);
  CHECK(applied("authorization { token: 12345 }").options.token == "12345");
  CHECK(applied("authorization { user: u, pass: p, timeout: \"3s\" }").options.auth_timeout == 3s);
  CHECK_FALSE(applied("authorization {}").options.auth_required());
  CHECK(applied("authorization { user: u, token: t }").error.find("token") != std::string::npos);
}

TEST_CASE("config security: users, with what each may do") {
  const Applied users = applied(R"(authorization {
    default_permissions: { publish: "d" }
    users: [
      { user: a, password: $2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW }
      { user: b, password: q, permissions: {
          publish: { allow: ["x", "y.>"], deny: "y.z" }
          subscribe: ["s", "s q.*"]
          allow_responses: { max: 3, expires: "5s" } } }
      { nkey: UBEPD4MIM5TUS6M7E34OFNHY5OLNGDHLY5PSAPJLLIE5N5P535VSLC5P } ] })");
  CHECK(users.error == "");
  REQUIRE(users.options.users.size() == 3);
  CHECK(users.options.users[0].password.size() == 60);
  CHECK_FALSE(users.options.users[0].permissions);
  const PermissionRules& rules = *users.options.users[1].permissions;
  CHECK(rules.publish.allow == std::vector<std::string>{"x", "y.>"});
  CHECK(rules.publish.deny == std::vector<std::string>{"y.z"});
  CHECK(rules.subscribe.allow == std::vector<std::string>{"s", "s q.*"});
  CHECK(rules.responses->messages_max == 3);
  CHECK(rules.responses->expires == 5s);
  CHECK(users.options.users[2].is_nkey);
}

TEST_CASE("config security: answers without end") {
  const auto responses = [](const std::string& block) {
    const Applied users = applied(
        "authorization { users: [ { user: a, password: p, permissions: { "
        "allow_responses: " +
        block + " } } ] }");
    CHECK(users.error == "");
    return *users.options.users.at(0).permissions->responses;
  };
  CHECK(responses("{ max: -1, expires: \"-1s\" }").messages_max == -1);
  CHECK(responses("{ max: -1, expires: \"-1s\" }").expires == -1s);
  CHECK(responses("{ expires: -1 }").expires == -1s);
  CHECK(responses("{ expires: \"0s\" }").expires == 2min);
  CHECK(
      applied("authorization { users: [ { user: a, password: p, permissions: { allow_responses: { "
              "expires: \"--1s\" } } } ] }")
          .error != "");
}

TEST_CASE("config security: accounts and their limits") {
  const Applied accounts = applied(R"(accounts: {
    A: { users: [ { user: a, password: p } ], limits: { max_connections: 5, max_payload: 1k } }
    B: {} }
    no_auth_user: a)");
  CHECK(accounts.error == "");
  REQUIRE(accounts.options.accounts.size() == 2);
  CHECK(accounts.options.accounts[0].connections_max == 5);
  CHECK(accounts.options.accounts[0].subscriptions_max == -1);
  CHECK(accounts.options.accounts[0].payload_bytes_max == 1000);
  CHECK(applied("accounts: [A, B]").options.accounts.size() == 2);
}

TEST_CASE("config security: what is wrong is said with its place") {
  CHECK(applied("accounts: { A: { imports: [{}] } }").error ==
        "c:1:18: imports: not supported yet");
  CHECK(applied("accounts: { A: { exports: [{}] } }").error ==
        "c:1:18: exports: not supported yet");
  CHECK(applied("accounts: { A: { mappings: {} } }").error ==
        "c:1:18: mappings: not supported yet");
  CHECK(applied("authorization { auth_callout: {} }").error ==
        "c:1:17: auth_callout: not supported yet");
  CHECK(applied("authorization { usres: [] }").error ==
        "c:1:17: unknown field \"usres\" in authorization; did you mean users?");
  CHECK(applied("accounts: { \"$G\": {} }").error.find("\"$G\"") != std::string::npos);
  for (const char* bad :
       {"authorization: 1", "authorization { users: { a: b } }", "authorization { users: [ 1 ] }",
        "authorization { users: [ { password: p } ] }", "authorization { users: [ { nkey: UX } ] }",
        "authorization { users: [ { user: a, password: p, permissions: { publish: \"a..b\" } } ] }",
        "authorization { users: [ { user: a, password: p, permissions: { publish: \"a b\" } } ] }",
        "authorization { users: [ { user: a, password: p, permissions: { subscribe: \"a b c\" } } "
        "] }",
        "authorization { users: [ { user: a, password: p, permissions: { publish: [] } } ] }",
        "authorization { users: [ { user: a, password: p }, { user: a, password: q } ] }",
        "no_auth_user: x", "authorization { pass: x }", "allow_non_tls: true", "tls {}",
        "tls { cert_file: a }", "tls { cert_file: a, key_file: b, min_version: \"1.1\" }",
        "tls { cert_file: a, key_file: b, cipher_suites: [ \"TLS_RSA_WITH_RC4_128_SHA\" ] }",
        "tls { cert_file: a, key_file: b, curve_preferences: [ \"P-1\" ] }",
        "tls { cert_file: a, key_file: b, pinned_certs: [ \"ab\" ] }"}) {
    CAPTURE(bad);
    CHECK(applied(bad).error != "");
  }
}

TEST_CASE("config security: a user without a password is taken, with a doubt") {
  const Applied user = applied("authorization { users: [ { user: u } ] }");
  CHECK(user.error == "");
  CHECK(user.warnings.size() == 1);
}

TEST_CASE("config security: no error and no warning shows a secret") {
  const std::string seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
  CHECK(applied("authorization { users: [ { nkey: " + seed + " } ] }").error ==
        "c:1:26: the nkey of this user looks like a seed, which is a secret of the user's; write "
        "the public key, which begins with U");
  CHECK(applied("authorization { users: [ { nkey: my-secret } ] }").error ==
        "c:1:26: the nkey of this user is no public nkey of a user");
  for (const char* bad :
       {"authorization { users: [ { user: my-secret } ] }",  // It is all that he has to know.
        "authorization { users: [ \"alice:my-secret\" ] }",
        "authorization { user: a, password: [my-secret] }",
        "authorization { user: a, password: { my-secret: 1 } }",
        "authorization { user: a, token: my-secret }", "authorization { pass: my-secret }",
        "authorization { users: [ { user: a, nkey: U, password: my-secret } ] }",
        "authorization { users: [ { user: a, password: my-secret }, { user: a, password: "
        "my-secret } ] }",
        "authorization { users: [ { user: a, password: b } ], token: my-secret }",
        "authorization: my-secret", "accounts { A { users: [ my-secret ] } }",
        "http_password: [my-secret]", "http_token: { my-secret: 1 }",
        "authorization { user: a, password: $my/secret-secret }",
        "authorization { user: a, password: \"my-secret }",
        "authorization { user: a, password: \"my-secret\" junk }"}) {
    CAPTURE(bad);
    const Applied result = applied(bad);
    CHECK(result.error.empty() == (result.warnings.size() == 1));
    for (const std::string& text :
         {result.error, fmt::format("{}", fmt::join(result.warnings, ""))})
      CHECK(text.find("secret") == std::string::npos);
  }
}

TEST_CASE("config security: what changes at a reload shows no secret") {
  Options before, after;
  after.security.user = "u";
  after.security.password = "my-secret";
  after.security.token = "my-secret";
  after.security.users = {{.name = "u", .password = "my-secret", .permissions = {}}};
  after.security.accounts.emplace_back().users = after.security.users;
  after.websocket.user = "u";
  after.websocket.password = "my-secret";
  after.websocket.token = "my-secret";
  after.monitoring.password = "my-secret";
  after.monitoring.token = "my-secret";
  for (const auto& [from, to] : {std::pair(&before, &after), std::pair(&after, &before)}) {
    const std::vector<ConfigChange> changes = changes_between(*from, *to);
    CHECK(changes.size() == 5);
    for (const ConfigChange& change : changes) {
      CAPTURE(change.path);
      CHECK(change.before == "(secret)");
      CHECK(change.after == "(secret)");
    }
  }
}

TEST_CASE("config security: tls") {
  const Applied applied_tls = applied(R"(tls {
    cert_file: c.pem, key_file: k.pem, ca_file: ca.pem, verify: true, timeout: 1.5
    min_version: 1.3, cipher_suites: [ "TLS_AES_128_GCM_SHA256",
      "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" ], curve_preferences: [ "X25519", "CurveP256" ]
    connection_rate_limit: 100, handshake_first: "300ms" })");
  CHECK(applied_tls.error == "");
  const TlsOptions& tls = *applied_tls.options.tls;
  CHECK(tls.certificates.size() == 1);
  CHECK(tls.certificates[0].key_file == "k.pem");
  CHECK(tls.verify);
  CHECK(tls.timeout == 1500ms);
  CHECK(tls.minor_version_min == 3);
  CHECK(tls.suites == std::vector<std::string>{"TLS_AES_128_GCM_SHA256"});
  CHECK(tls.ciphers == std::vector<std::string>{"ECDHE-RSA-AES128-GCM-SHA256"});
  CHECK(tls.curves == std::vector<std::string>{"X25519", "P-256"});
  CHECK(tls.connections_per_second_max == 100);
  CHECK(tls.handshake_first);
  CHECK(tls.handshake_first_wait == 300ms);
}

}  // namespace
}  // namespace peal::server
