// How the server is watched.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;

constexpr ConfigKey keys[] = {
    refused("http", KeyType::text),
    refused("https", KeyType::text),
    refused("http_port,monitor_port", KeyType::number),
    refused("https_port", KeyType::number),
    ignored("http_base_path", KeyType::text, "nothing is served under it"),
    ignored("max_closed_clients", KeyType::number, "closed clients are not remembered"),
    ignored("prof_port", KeyType::number, "profiles of Go; use perf"),
    ignored("prof_block_rate", KeyType::number, "profiles of Go; use perf"),
};

}  // namespace

std::span<const ConfigKey> monitoring_keys() { return keys; }

}  // namespace peal::server
