#include "server/server_id.hpp"

#include <sys/random.h>

#include <cstddef>

#include "server/nkey.hpp"

namespace peal::server {

std::string make_server_id() {
  PublicKey key;
  for (size_t have = 0; have < key.size();) {
    const ssize_t got = getrandom(key.data() + have, key.size() - have, 0);
    if (got > 0) have += static_cast<size_t>(got);
  }
  return encode_nkey(NkeyKind::server, key);
}

}  // namespace peal::server
