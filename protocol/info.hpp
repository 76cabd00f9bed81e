#pragma once
// INFO: what a server says of itself, at once on accept and whenever it changes. It knows the names
// of the fields and which of them are left out when there is nothing to say; what is true of this
// server it must be told.

#include <cstdint>
#include <string>
#include <vector>

namespace peal::protocol {

/// In the order in which they are written. An empty text, a false flag and a zero are left out, but
/// for those that every client expects to find.
struct Info {
  std::string server_id;    // Always.
  std::string server_name;  // Always.
  std::string version;      // Always: clients tell by it what they may use.
  int proto = 1;            // Always.
  std::string go;           // Always: how the server was built.
  std::string host;         // Always.
  uint16_t port = 0;        // Always.
  bool headers = true;      // Always.
  bool auth_required = false;
  bool tls_required = false;
  bool tls_verify = false;
  bool tls_available = false;
  uint32_t max_payload = 0;  // Always: bytes, and this client's own limit.
  uint64_t client_id = 0;
  std::string client_ip;
  std::string nonce;
  bool ldm = false;           // The server is leaving.
  bool connect_info = false;  // This is the one that follows a client's first PING.
  std::string remote_account;
  // Ours; clients that do not know them ignore them.
  std::string peal_version;
  std::vector<std::string> framings;  // What CONNECT may ask for.
  uint32_t subject_aliases = 0;       // Of one connection, at most.
};

/// The whole line. There is a blank before its CR LF, as nats-server has it.
std::string info_line(const Info& info);

}  // namespace peal::protocol
