// What may stand in front of a client's own bytes: the word of a load balancer whose they are. The
// life of the connection around it is in connection.cpp.

#include <utility>

#include "core/proxy_header.hpp"
#include "server/connection.hpp"
#include "server/shard.hpp"

namespace peal::server {

// True when what follows is the client's own: behind the header, or at once where there is none,
// which nats-server takes as well. What comes in parts waits in the carry.
bool Connection::take_proxy_header(std::string_view& bytes) {
  const bool cut = !carry_.empty();
  if (cut) carry(std::exchange(bytes, {}), core::proxy_header_bytes_max);
  if (!open()) return false;
  const core::ProxyHeader header = core::read_proxy_header(cut ? carry_.bytes() : bytes);
  switch (header.kind) {
    case core::ProxyHeader::Kind::need_more:
      if (!bytes.empty()) carry(bytes, core::proxy_header_bytes_max);
      return false;
    case core::ProxyHeader::Kind::refused:
      refuse_proxy_header(header.reason);
      return false;
    case core::ProxyHeader::Kind::taken:
      if (!header.peer.host.empty()) peer_ = header.peer;
      if (cut) carry_.consume(shard_.pool(), header.header_bytes);
      if (!cut) bytes.remove_prefix(header.header_bytes);
      break;
    case core::ProxyHeader::Kind::absent:
      break;
  }
  proxy_header_due_ns_ = INT64_MAX;
  needed_bytes_ = 0;
  return true;
}

void Connection::refuse_proxy_header(std::string_view reason) {
  shard_.log().warning("Error reading PROXY protocol header from {}: {}", label(), reason);
  refusal_ = protocol::Refusal::protocol_violation;
  close(CloseReason::refused);
}

}  // namespace peal::server
