#pragma once
// Security options as texts, so that two of them can be compared at a reload. They have passwords
// in them: they are for comparing, and shown to nobody.

#include <optional>
#include <string>

#include "server/security_options.hpp"

namespace peal::server {

std::string authorization_text(const SecurityOptions& options);
std::string accounts_text(const SecurityOptions& options);
std::string tls_text(const SecurityOptions& options);
std::string tls_text(const std::optional<TlsOptions>& options);

}  // namespace peal::server
