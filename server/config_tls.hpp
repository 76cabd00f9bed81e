#pragma once
// The tls block of the configuration. Values in, TlsOptions out; whether the files that it names
// hold certificates, it does not look.

#include <optional>

#include "server/config_reading.hpp"
#include "server/security_options.hpp"

namespace peal::server {

ConfigError read_tls(const ConfigValue& value, std::optional<TlsOptions>& out);

}  // namespace peal::server
