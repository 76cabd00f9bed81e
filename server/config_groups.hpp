#pragma once
// Where the declarations of keys are, subject by subject. For config_keys.cpp alone.

#include <span>

#include "server/config_keys.hpp"

namespace peal::server {

std::span<const ConfigKey> network_keys();
std::span<const ConfigKey> limit_keys();
std::span<const ConfigKey> log_keys();
std::span<const ConfigKey> security_keys();
std::span<const ConfigKey> monitoring_keys();
std::span<const ConfigKey> cluster_keys();
std::span<const ConfigKey> jetstream_keys();
std::span<const ConfigKey> websocket_keys();
std::span<const ConfigKey> protocol_keys();

}  // namespace peal::server
