// Clients that speak something else.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;
using enum KeyType;

constexpr ConfigKey in_mqtt[] = {
    refused("listen", text),
    refused("host,net", text),
    refused("port", number),
    refused("tls", block),
    refused("authorization,authentication", block),
    refused("no_auth_user", text),
    refused("ack_wait,ackwait", duration),
    refused("js_api_timeout,api_timeout", duration),
    refused("max_ack_pending,max_pending,max_inflight", number),
    refused("js_domain", text),
    refused("stream_replicas", number),
    refused("consumer_replicas", number),
    refused("consumer_memory_storage", boolean),
    refused("consumer_inactive_threshold,consumer_auto_cleanup", duration),
    refused("reject_qos2_publish", boolean),
    refused("downgrade_qos2_subscribe", boolean),
};

constexpr ConfigKey keys[] = {
    refused("mqtt", block, not_yet, in_mqtt),
};

}  // namespace

std::span<const ConfigKey> protocol_keys() { return keys; }

}  // namespace peal::server
