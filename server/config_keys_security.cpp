// Who may connect, and what he may do.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;
using enum KeyType;

constexpr ConfigKey authorization_keys[] = {
    refused("user,username", text),
    refused("password,pass", text),
    refused("token", text),
    refused("timeout", duration),
    refused("users", list),
    refused("default_permissions,permissions", block),
    refused("auth_callout,auth_hook", block),
    refused("proxy_required", boolean),
};

constexpr ConfigKey tls_keys[] = {
    refused("cert_file", text),
    refused("key_file", text),
    refused("ca_file", text),
    refused("certs,certificates", list),
    refused("insecure", boolean),
    refused("verify", boolean),
    refused("verify_and_map", boolean),
    refused("verify_cert_and_check_known_urls", boolean),
    refused("timeout", duration),
    refused("cipher_suites", list),
    refused("allow_insecure_cipher_suites", boolean),
    refused("curve_preferences", list),
    refused("min_version", text),
    refused("handshake_first,first,immediate", any),
    refused("connection_rate_limit", number),
    refused("pinned_certs", list),
    refused("ocsp_peer", any),
    refused("cert_store", text),
    refused("cert_match_by", text),
    refused("cert_match", text),
    refused("ca_certs_match", list),
    refused("cert_match_skip_invalid", boolean),
};

constexpr ConfigKey keys[] = {
    refused("authorization", block, "not supported yet", authorization_keys),
    refused("accounts", block),
    refused("no_auth_user", text),
    refused("default_sentinel", text),
    refused("system_account,system", text),
    ignored("no_system_account,no_system,no_sys_acc", boolean, "there is no system account"),
    refused("mappings,maps", block),
    {.names = "tls",
     .type = block,
     .status = KeyStatus::refused,
     .note = "not supported yet",
     .keys = tls_keys,
     .is_wish_when_empty = true},
    refused("allow_non_tls", boolean),
    refused("ocsp", any),
    refused("ocsp_cache", any),
    refused("operator,operators,root,roots", any),
    refused("trusted,trusted_keys", list),
    refused("resolver,account_resolver,account_resolver_url", any),
    refused("resolver_tls", block),
    refused("resolver_preload", block),
    refused("resolver_pinned_accounts", list),
    refused("proxies", block),
};

}  // namespace

std::span<const ConfigKey> security_keys() { return keys; }

}  // namespace peal::server
