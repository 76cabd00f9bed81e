#pragma once
// What a load balancer says in front of a connection that it passes on: whose it was. The PROXY
// protocol, versions 1 (a line of text) and 2 (binary), as its specification has them
// (haproxy.org, proxy-protocol.txt). Bytes in, value out; it knows no socket.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/reactor.hpp"

namespace peal::core {

struct ProxyHeader {
  enum class Kind : uint8_t {
    need_more,  // The bytes so far may be the front of a header.
    absent,     // They are none.
    taken,
    refused,  // They are one that breaks the rules; `reason` says which.
  };

  Kind kind = Kind::absent;
  size_t header_bytes = 0;  // Of what was taken.
  PeerAddress peer;         // Empty host: the balancer speaks for itself, or does not know.
  std::string_view reason;
};

/// The longest that is read: version 1 has 107 bytes at most, version 2 little more than its
/// addresses.
inline constexpr size_t proxy_header_bytes_max = 2048;

/// What `bytes`, from the beginning of a connection, begin with.
ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace peal::core
