// Any bytes at all as a CONNECT document. The oracle: a refused one changes nothing, and a good one
// that is merged again changes nothing more.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <tuple>

#include "protocol/connect.hpp"

namespace {

using peal::protocol::ConnectOptions;

auto all_of(const ConnectOptions& o) {
  return std::tie(o.verbose, o.pedantic, o.echo, o.headers, o.no_responders, o.tls_required,
                  o.new_account, o.protocol, o.name, o.lang, o.version, o.user, o.pass,
                  o.auth_token, o.nkey, o.jwt, o.sig, o.proxy_sig, o.account, o.remote_account);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  ConnectOptions before;
  before.name = "before";
  before.protocol = 1;
  ConnectOptions options = before;
  const bool good = merge_connect(json, options);
  if (!good && all_of(options) != all_of(before)) std::abort();

  ConnectOptions again = options;
  if (merge_connect(json, again) != good || all_of(again) != all_of(options)) std::abort();
  return 0;
}
