// Streams and what is stored.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;
using enum KeyType;

constexpr ConfigKey in_batch[] = {
    refused("max_inflight_per_stream", number),
    refused("max_inflight_total", number),
    refused("max_msgs", number),
    refused("timeout", duration),
};

constexpr ConfigKey in_limits[] = {
    refused("max_ack_pending", number),         refused("max_ha_assets", number),
    refused("max_request_batch", number),       refused("duplicate_window", duration),
    refused("batch", block, not_yet, in_batch),
};

constexpr ConfigKey in_tpm[] = {
    refused("keys_file", text),    refused("encryption_password", text),
    refused("srk_password", text), refused("pcr", number),
    refused("cipher", text),
};

constexpr ConfigKey in_jetstream[] = {
    refused("enabled,enable", boolean),
    refused("strict", boolean),
    refused("store_dir,storedir,store", text),
    refused("max_memory_store,max_mem_store,max_mem", bytes),
    refused("max_file_store,max_file", bytes),
    refused("domain", text),
    refused("sync,sync_interval", any),
    refused("key,ek,encryption_key", text),
    refused("prev_key,prev_ek,prev_encryption_key", text),
    refused("cipher", text),
    refused("extension_hint", text),
    refused("limits", block, not_yet, in_limits),
    refused("tpm", block, not_yet, in_tpm),
    refused("unique_tag", text),
    refused("max_outstanding_catchup", bytes),
    refused("max_buffered_size", bytes),
    refused("max_buffered_msgs", number),
    refused("request_queue_limit", number),
    refused("info_queue_limit", number),
    refused("meta_compact", number),
    refused("meta_compact_size", bytes),
    refused("meta_compact_sync", boolean),
    refused("max_concurrent_io", number),
};

constexpr ConfigKey keys[] = {
    {.names = "jetstream",
     .type = block,
     .status = KeyStatus::refused,
     .note = not_yet,
     .keys = in_jetstream,
     .is_wish_when_empty = true},
    ignored("store_dir,storedir", text, "nothing is stored without jetstream"),
    ignored("default_js_domain", block, "nothing is stored without jetstream"),
    ignored("feature_flags", block, "they are switches of JetStream"),
};

}  // namespace

std::span<const ConfigKey> jetstream_keys() { return keys; }

}  // namespace peal::server
