#include "core/proxy_header.hpp"

#include <doctest/doctest.h>

#include <string>

namespace peal::core {
namespace {

using Kind = ProxyHeader::Kind;

const std::string mark("\r\n\r\n\0\r\nQUIT\n", 12);

std::string binary(unsigned char command, unsigned char family, const std::string& rest) {
  std::string out = mark;
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size());
  return out + rest;
}

const std::string v4_addresses("\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04", 12);

/// Checks that every part of it wants more, and the whole is taken with what follows left alone.
void check_taken(const std::string& header, const std::string& host, uint16_t port) {
  CAPTURE(header);
  for (size_t bytes = 0; bytes < header.size(); bytes++) {
    CAPTURE(bytes);
    CHECK(read_proxy_header(std::string_view(header).substr(0, bytes)).kind == Kind::need_more);
  }
  const ProxyHeader read = read_proxy_header(header + "CONNECT {}\r\n");
  CHECK(read.kind == Kind::taken);
  CHECK(read.header_bytes == header.size());
  CHECK(read.peer.host == host);
  CHECK(read.peer.port == port);
}

void check_refused(const std::string& header, const std::string& reason) {
  CAPTURE(header);
  const ProxyHeader read = read_proxy_header(header);
  CHECK(read.kind == Kind::refused);
  CHECK(read.reason == reason);
}

TEST_CASE("proxy header: version 1") {
  check_taken("PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n", "1.2.3.4", 11);
  check_taken("PROXY TCP6 ::1 fe80::2 65535 1\r\n", "::1", 65535);
  check_taken("PROXY UNKNOWN\r\n", "", 0);
  check_taken("PROXY UNKNOWN a b c\r\n", "", 0);
}

TEST_CASE("proxy header: version 2") {
  check_taken(binary(0x21, 0x11, v4_addresses), "1.2.3.4", 0x102);
  check_taken(binary(0x21, 0x11, v4_addresses + std::string("\x04\0\x01x", 4)), "1.2.3.4", 0x102);
  const std::string one = std::string(15, '\0') + '\x01';
  check_taken(binary(0x21, 0x21, one + one + std::string("\x01\x02\x03\x04", 4)), "::1", 0x102);
  check_taken(binary(0x20, 0x00, ""), "", 0);
  check_taken(binary(0x20, 0x11, v4_addresses), "", 0);
  check_taken(binary(0x21, 0x00, "more"), "", 0);
}

TEST_CASE("proxy header: what is none is left alone") {
  for (const char* bytes : {"CONNECT {}\r\n", "PING\r\n", "PUB a 1\r\n", "PROXZ", "\r\nPING"}) {
    CAPTURE(bytes);
    CHECK(read_proxy_header(bytes).kind == Kind::absent);
  }
}

TEST_CASE("proxy header: one that breaks the rules is refused") {
  const std::string no_addresses = "it has no valid addresses and ports";
  check_refused("PROXY TCP4 1.2.3 5.6.7.8 11 22\r\n", no_addresses);
  check_refused("PROXY TCP4 ::1 5.6.7.8 11 22\r\n", no_addresses);
  check_refused("PROXY TCP4 1.2.3.4 5.6.7.8 11 65536\r\n", no_addresses);
  check_refused("PROXY TCP4 1.2.3.4 5.6.7.8 11\r\n", no_addresses);
  check_refused("PROXY TCP4 1.2.3.4 5.6.7.8 11 22 33\r\n", no_addresses);
  check_refused("PROXY TCP4  1.2.3.4 5.6.7.8 11 22\r\n", no_addresses);
  check_refused("PROXY UDP4 1.2.3.4 5.6.7.8 11 22\r\n", "its protocol is not TCP");
  check_refused("PROXY UNKNOWN\n", "its line does not end with CR LF");
  check_refused("PROXY TCP4 " + std::string(120, '1'), "its line is too long");
  check_refused(binary(0x11, 0x11, v4_addresses), "its version is unknown");
  check_refused(binary(0x2f, 0x11, v4_addresses), "its command is unknown");
  check_refused(binary(0x21, 0x12, v4_addresses), "its transport is no stream");
  check_refused(binary(0x21, 0x31, std::string(216, 'a')), "its address family is neither IP");
  check_refused(binary(0x21, 0x11, "1234"), "its addresses are cut");
  check_refused(binary(0x20, 0x00, std::string(60000, 'a')), "it is too long");
}

}  // namespace
}  // namespace peal::core
