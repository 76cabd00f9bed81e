#pragma once
// The configuration file applied to Options, by the keys that config_keys declares.
// It knows which keys are refused and what is said of them; the grammar lives in config_parser.

#include <optional>
#include <string>
#include <vector>

#include "server/options.hpp"

namespace peal::server {

/// Applies the file to `options`. Returns one sentence with file:line:column if it is refused, and
/// then `options` are to be thrown away. What is accepted with a doubt is added to `warnings`.
std::optional<std::string> apply_config(const std::string& path, Options& options,
                                        std::vector<std::string>& warnings);

}  // namespace peal::server
