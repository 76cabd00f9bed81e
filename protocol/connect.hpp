#pragma once
// The CONNECT document: what a client says of itself and asks for. It knows JSON and the names of
// the fields; who may connect, and what a field leads to, it must never know.

#include <string>
#include <string_view>

namespace peal::protocol {

/// With the values that hold before the first CONNECT, and for a field that none has named.
struct ConnectOptions {
  bool verbose = true;
  bool pedantic = true;
  bool echo = true;
  bool headers = false;
  bool no_responders = false;
  bool tls_required = false;
  /// Set by old previews of accounts, and refused by any server of today.
  bool new_account = false;
  /// 0 or 1 in a good CONNECT. Whatever integer came is here for the server to refuse; what does
  /// not fit is the nearest that does.
  int protocol = 0;
  std::string name, lang, version;
  std::string user, pass, auth_token, nkey, jwt, sig, proxy_sig;
  std::string account, remote_account;
  std::string framing;  // Ours: binary_frame.hpp. Empty: as it is.
};

/// Reads a CONNECT document into `io`; a field that it does not name, or that is null, stays as it
/// is. False if it is not JSON, not an object (or null), or a known field has the wrong type: then
/// `io` is unchanged.
///
/// Keys are told apart without regard to case, the last of equal ones wins, unknown ones are
/// skipped whatever they hold and however deep it is nested, and bytes that are not UTF-8 pass.
/// That is nats-server's reading; in these things ours is stricter or more lenient:
///   - an escape that is half a surrogate pair (`\ud800` alone), or a number that is too large for
///     a double (`1e999`), is not JSON for us;
///   - `import` and `export` are unknown fields, they have no meaning for clients;
///   - only ASCII letters have a case.
bool merge_connect(std::string_view json, ConnectOptions& io);

}  // namespace peal::protocol
