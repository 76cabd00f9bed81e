#include "core/proxy_header.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace peal::core {

namespace {

using Kind = ProxyHeader::Kind;

constexpr std::string_view text_mark = "PROXY ";
constexpr size_t line_bytes_max = 107;

constexpr std::string_view binary_mark{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr size_t binary_head_bytes = 16;

ProxyHeader refused(std::string_view reason) {
  return {.kind = Kind::refused, .header_bytes = 0, .peer = {}, .reason = reason};
}

ProxyHeader need_more() {
  return {.kind = Kind::need_more, .header_bytes = 0, .peer = {}, .reason = {}};
}

ProxyHeader taken(size_t header_bytes, PeerAddress peer) {
  return {.kind = Kind::taken, .header_bytes = header_bytes, .peer = std::move(peer), .reason = {}};
}

std::string_view take_word(std::string_view& text) {
  const size_t blank = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, blank);
  text.remove_prefix(std::min(blank + 1, text.size()));
  return word;
}

bool is_address(int family, std::string_view text) {
  unsigned char bytes[16];
  return ::inet_pton(family, std::string(text).c_str(), bytes) == 1;
}

bool read_port(std::string_view text, uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc{} && stop == end;
}

// PROXY TCP4 source destination source-port destination-port, or PROXY UNKNOWN and anything.
ProxyHeader read_line(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  if (end == bytes.npos && bytes.size() < line_bytes_max) return need_more();
  if (end == bytes.npos || end >= line_bytes_max) return refused("its line is too long");
  if (bytes[end - 1] != '\r') return refused("its line does not end with CR LF");

  std::string_view words = bytes.substr(text_mark.size(), end - 1 - text_mark.size());
  const std::string_view protocol = take_word(words);
  if (protocol == "UNKNOWN") return taken(end + 1, {});
  if (protocol != "TCP4" && protocol != "TCP6") return refused("its protocol is not TCP");
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view source = take_word(words);
  const std::string_view destination = take_word(words);
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  const bool valid = is_address(family, source) && is_address(family, destination) &&
                     read_port(take_word(words), source_port) &&
                     read_port(take_word(words), destination_port) && words.empty();
  if (!valid) return refused("it has no valid addresses and ports");
  return taken(end + 1, {std::string(source), source_port});
}

uint16_t two_bytes(std::string_view bytes) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 |
                               static_cast<uint8_t>(bytes[1]));
}

// Mark, version and command, family and transport, length; then source, destination and the two
// ports, and what else the balancer wants to tell.
ProxyHeader read_binary(std::string_view bytes) {
  constexpr uint8_t version = 2;
  constexpr uint8_t stream = 1;
  enum Command : uint8_t { local = 0, proxied = 1 };
  enum Family : uint8_t { unspecified = 0, ipv4 = 1, ipv6 = 2 };

  if (bytes.size() < binary_head_bytes) return need_more();
  const auto version_and_command = static_cast<uint8_t>(bytes[12]);
  const auto family_and_transport = static_cast<uint8_t>(bytes[13]);
  const size_t header_bytes = binary_head_bytes + two_bytes(bytes.substr(14));
  if (version_and_command >> 4 != version) return refused("its version is unknown");
  const int command = version_and_command & 0xf;
  if (command != local && command != proxied) return refused("its command is unknown");
  if (header_bytes > proxy_header_bytes_max) return refused("it is too long");
  const int family = family_and_transport >> 4;
  const bool speaks_for_itself = command == local || family == unspecified;
  if (!speaks_for_itself) {
    if ((family_and_transport & 0xf) != stream) return refused("its transport is no stream");
    if (family != ipv4 && family != ipv6) return refused("its address family is neither IP");
  }
  const size_t address_bytes = family == ipv4 ? 4 : 16;
  const size_t ports_at = binary_head_bytes + 2 * address_bytes;
  if (!speaks_for_itself && header_bytes < ports_at + 4) return refused("its addresses are cut");
  if (bytes.size() < header_bytes) return need_more();
  if (speaks_for_itself) return taken(header_bytes, {});

  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family == ipv4 ? AF_INET : AF_INET6, bytes.data() + binary_head_bytes, text,
              sizeof text);
  return taken(header_bytes, {text, two_bytes(bytes.substr(ports_at))});
}

/// Whether `bytes` begin with `mark`, as far as both go.
bool may_begin(std::string_view bytes, std::string_view mark) {
  const size_t common = std::min(bytes.size(), mark.size());
  return bytes.substr(0, common) == mark.substr(0, common);
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
  for (const std::string_view mark : {text_mark, binary_mark}) {
    if (!may_begin(bytes, mark)) continue;
    if (bytes.size() < mark.size()) return need_more();
    return mark == text_mark ? read_line(bytes) : read_binary(bytes);
  }
  return {};
}

}  // namespace peal::core
