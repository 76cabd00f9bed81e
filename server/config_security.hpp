#pragma once
// The blocks of the configuration that say who may come in and what he may do: authorization,
// accounts, tls. Values in, SecurityOptions out.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_value.hpp"
#include "server/security_options.hpp"

namespace peal::server {

inline constexpr std::string_view security_blocks[] = {"accounts", "authorization", "tls"};

/// Whether a top-level key, folded, is one of them.
bool is_security_key(std::string_view name);

/// Applies such an entry. The error is one sentence with its place.
std::optional<std::string> apply_security(std::string_view name, const ConfigEntry& entry,
                                          SecurityOptions& options,
                                          std::vector<std::string>& warnings);

}  // namespace peal::server
