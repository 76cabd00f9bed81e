// Servers that are one to their clients: clusters, gateways between them, leaf nodes.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;
using enum KeyType;

constexpr ConfigKey in_cluster[] = {
    refused("name", text),
    refused("listen", text),
    refused("host,net", text),
    refused("port", number),
    refused("authorization", block),
    refused("accounts", list),
    refused("routes", list),
    refused("tls", block),
    refused("advertise,cluster_advertise", text),
    refused("no_advertise", boolean),
    refused("connect_retries", number),
    refused("connect_backoff", boolean),
    refused("permissions", block),
    refused("pool_size", number),
    refused("compression", any),
    refused("ping_interval", duration),
    refused("ping_max", number),
    refused("write_deadline", duration),
    refused("write_timeout", text),
};

constexpr ConfigKey in_gateways[] = {
    refused("name", text),
    refused("url,urls", any),
    refused("tls", block),
};

constexpr ConfigKey in_gateway[] = {
    refused("name", text),
    refused("listen", text),
    refused("host,net", text),
    refused("port", number),
    refused("authorization", block),
    refused("tls", block),
    refused("advertise", text),
    refused("connect_retries", number),
    refused("connect_backoff", boolean),
    refused("reject_unknown,reject_unknown_cluster", boolean),
    refused("gateways", list, not_yet, in_gateways),
    refused("write_deadline", duration),
    refused("write_timeout", text),
};

constexpr ConfigKey in_remote[] = {
    refused("url,urls", any),
    refused("account,local", text),
    refused("credentials,creds", text),
    refused("nkey,seed", text),
    refused("tls", block),
    refused("hub", boolean),
    refused("deny_imports,deny_import", list),
    refused("deny_exports,deny_export", list),
    refused("no_randomize,dont_randomize", boolean),
    refused("ws_compress,ws_compression,websocket_compress,websocket_compression", boolean),
    refused("ws_no_masking,websocket_no_masking", boolean),
    refused("jetstream_cluster_migrate,js_cluster_migrate", any),
    refused("isolate_leafnode_interest,isolate", boolean),
    refused("request_isolation", boolean),
    refused("compression", any),
    refused("first_info_timeout", duration),
    refused("dial_timeout", duration),
    refused("disabled", boolean),
    refused("ignore_discovered_servers", boolean),
    refused("proxy", block),
};

constexpr ConfigKey in_leafnodes[] = {
    refused("listen", text),
    refused("host,net", text),
    refused("port", number),
    refused("authorization", block),
    refused("remotes", list, not_yet, in_remote),
    refused("reconnect,reconnect_delay,reconnect_interval", duration),
    refused("dial_timeout", duration),
    refused("tls", block),
    refused("advertise,leafnode_advertise", text),
    refused("no_advertise", boolean),
    refused("min_version,minimum_version", text),
    refused("compression", any),
    refused("isolate_leafnode_interest,isolate", boolean),
    refused("write_deadline", duration),
    refused("write_timeout", text),
};

constexpr ConfigKey keys[] = {
    refused("cluster", block, not_yet, in_cluster),
    refused("gateway", block, not_yet, in_gateway),
    refused("leafnodes,leaf", block, not_yet, in_leafnodes),
};

}  // namespace

std::span<const ConfigKey> cluster_keys() { return keys; }

}  // namespace peal::server
