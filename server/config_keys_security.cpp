// Who may connect, and what he may do.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"
#include "server/security_text.hpp"

namespace peal::server {

namespace {

using namespace fields;
using enum KeyType;

// The blocks are read by config_security.cpp, as a whole; here stands what the table says of them,
// and how two of them are told apart.
constexpr ConfigKey part(std::string_view names, KeyType type, std::string_view note) {
  return {.names = names, .type = type, .reload = Reload::live, .note = note};
}

template <std::string (*text_of_options)(const SecurityOptions&)>
std::string shown_block(const Options& options) {
  return text_of_options(options.security);
}

constexpr ConfigKey whole(std::string_view names, std::string_view note,
                          std::string (*shown)(const Options& options),
                          std::span<const ConfigKey> keys) {
  return {.names = names,
          .type = block,
          .reload = Reload::live,
          .note = note,
          .shown = shown,
          .keys = keys,
          .secret = true};
}

constexpr ConfigKey authorization_keys[] = {
    part("user,username", text, "the one user who may connect"),
    part("password,pass", text, "his password, or its bcrypt hash (`peal-server passwd`)"),
    part("token", text, "what clients must show, or its hash"),
    part("timeout", duration, "from when a client can say who it is until it has (2s)"),
    part("users", list, "name and password, or nkey; permissions: see security.md"),
    part("default_permissions,default_permission,permissions", block,
         "of users here without their own"),
    refused("auth_callout,auth_hook", block),
    refused("proxy_required", boolean),
};

constexpr ConfigKey limit_keys_of_account[] = {
    part("max_connections,max_conn", number, "at once; -1 is unlimited"),
    part("max_subscriptions,max_subs", number, "of each connection; -1 is unlimited"),
    part("max_payload,max_pay", bytes, "when less than the server's"),
    part("max_leafnodes,max_leafs", number, "taken, without effect: there are none"),
};

constexpr ConfigKey export_keys[] = {
    refused("stream", text),
    refused("service", text),
    refused("accounts", list),
    refused("response,response_type", text),
    refused("threshold,response_threshold,response_max_time,response_time", duration),
    refused("latency", any),
    refused("account_token_position", number),
    refused("allow_trace", boolean),
};

constexpr ConfigKey import_keys[] = {
    refused("stream", block), refused("service", block), refused("prefix", text),
    refused("to", text),      refused("share", boolean), refused("allow_trace", boolean),
};

constexpr ConfigKey account_keys[] = {
    part("users", list, "as in authorization"),
    part("default_permissions", block, "of its users without their own"),
    {.names = "limits", .type = block, .note = "of the account", .keys = limit_keys_of_account},
    refused("imports", list, not_yet, import_keys),
    refused("exports", list, not_yet, export_keys),
    refused("mappings,maps", block),
    refused("jetstream", any),
    refused("nkey", text),
};

// In the file it is the account's own name that stands here.
constexpr ConfigKey accounts_keys[] = {
    {.names = "name", .type = block, .note = "one for each account", .keys = account_keys},
};

constexpr ConfigKey tls_keys[] = {
    part("cert_file", text, "the certificate, and those that lead to its CA"),
    part("key_file", text, "its key, without a pass phrase"),
    part("ca_file", text, "whose client certificates are believed (the system's)"),
    part("certs,certificates", list,
         "more of cert_file and key_file, chosen by the host asked for"),
    refused("insecure", boolean),
    part("verify", boolean, "clients must show a certificate"),
    part("verify_and_map", boolean, "and are the user whom it names"),
    refused("verify_cert_and_check_known_urls", boolean),
    part("timeout", duration, "for the handshake (2s)"),
    part("cipher_suites", list, "nats-server's names"),
    refused("allow_insecure_cipher_suites", boolean),
    part("curve_preferences", list, "X25519, CurveP256, CurveP384, CurveP521"),
    part("min_version", text, "1.2 or 1.3 (1.2)"),
    part("handshake_first,first,immediate", any, "before INFO: true, auto, or how long to wait"),
    part("connection_rate_limit", number, "newcomers a second (unlimited)"),
    part("pinned_certs", list, "SHA-256 of the public keys that may connect"),
    refused("ocsp_peer", any),
    refused("cert_store", text),
    refused("cert_match_by", text),
    refused("cert_match", text),
    refused("ca_certs_match", list),
    refused("cert_match_skip_invalid", boolean),
};

constexpr ConfigKey ocsp_keys[] = {
    refused("mode", text),
    refused("url,urls", any),
};

constexpr ConfigKey proxies_keys[] = {
    refused("trusted", list),
};

constexpr ConfigKey keys[] = {
    whole("authorization", "who may connect", shown_block<authorization_text>, authorization_keys),
    whole("accounts", "subject spaces that know nothing of each other", shown_block<accounts_text>,
          accounts_keys),
    fields::text<&Options::security, &SecurityOptions::no_auth_user>(
        "no_auth_user", Reload::live, "who a client is that does not say who it is"),
    refused("default_sentinel", text),
    refused("system_account,system", text),
    ignored("no_system_account,no_system,no_sys_acc", boolean, "there is no system account"),
    refused("mappings,maps", block),
    whole("tls", "TLS with clients", shown_block<tls_text>, tls_keys),
    fields::boolean<&Options::security, &SecurityOptions::allow_non_tls>(
        "allow_non_tls", Reload::live, "TLS for those who want it"),
    fields::text<&Options::run_as>("run_as", Reload::restart,
                                   "USER or USER:GROUP to become once everything is open"),
    refused("ocsp", any, not_yet, ocsp_keys),
    refused("ocsp_cache", any),
    refused("operator,operators,root,roots,root_operator,root_operators", any),
    refused("trusted,trusted_keys", list),
    refused("resolver,account_resolver,accounts_resolver,account_resolver_url", any),
    refused("resolver_tls", block),
    refused("resolver_preload", block),
    refused("resolver_pinned_accounts", list),
    refused("proxies", block, not_yet, proxies_keys),
};

}  // namespace

std::span<const ConfigKey> security_keys() { return keys; }

}  // namespace peal::server
