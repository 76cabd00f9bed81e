#pragma once
// The name that a server makes up for itself at start: the public half of an nkey, as nats-server's
// is, though nobody holds the other half. Nothing is ever signed with it.

#include <string>

namespace peal::server {

/// 56 letters, the first of them N.
std::string make_server_id();

}  // namespace peal::server
