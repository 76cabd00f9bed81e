// Any bytes as the beginning of a connection that a load balancer may have passed on. What is said
// of the whole has to be said of every front of it, or that more is needed: bytes, not packets.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/proxy_header.hpp"
#include "tests/support/guarded_bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using peal::core::ProxyHeader;
  constexpr size_t bytes_max = 4096;
  if (size > bytes_max) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static peal::test::GuardedBytes memory(bytes_max);
  const ProxyHeader whole = peal::core::read_proxy_header(memory.place(bytes));
  if (whole.kind == ProxyHeader::Kind::taken && whole.header_bytes > size) std::abort();
  if (whole.kind == ProxyHeader::Kind::refused && whole.reason.empty()) std::abort();
  if (whole.kind == ProxyHeader::Kind::need_more && size >= peal::core::proxy_header_bytes_max) {
    std::abort();
  }
  for (size_t front = 0; front < size; front++) {
    const ProxyHeader part = peal::core::read_proxy_header(memory.place(bytes.substr(0, front)));
    if (part.kind == ProxyHeader::Kind::need_more) continue;
    if (part.kind != whole.kind || part.header_bytes != whole.header_bytes) std::abort();
    if (part.peer.host != whole.peer.host || part.peer.port != whole.peer.port) std::abort();
  }
  return 0;
}
