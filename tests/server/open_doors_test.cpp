// Which listeners an operator is told of because they let in who says nothing of himself.
#include "server/open_doors.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace peal::server {
namespace {

using Sentences = std::vector<std::string>;

const ListenAddress none{"0.0.0.0", 0};

Sentences doors(const Options& options, std::vector<ListenAddress> addresses = {{"0.0.0.0", 4222}},
                const ListenAddress& websocket = none) {
  return open_doors(options, addresses, websocket);
}

Options with_user() {
  Options options;
  options.security.users.emplace_back().name = "u";
  return options;
}

TEST_CASE("open doors: without anybody who could come in by name, all are") {
  CHECK(doors({}) ==
        Sentences{"0.0.0.0:4222 is open to whoever reaches it: no user, token or key is "
                  "asked for"});
  CHECK(doors(with_user()).empty());
}

TEST_CASE("open doors: who has no name to say comes in as no_auth_user") {
  Options options = with_user();
  options.security.no_auth_user = "u";
  CHECK(doors(options) ==
        Sentences{"0.0.0.0:4222 lets in whoever reaches it as \"u\", who is no_auth_user"});
}

TEST_CASE("open doors: loopback is no door for others") {
  CHECK(doors({}, {{"127.0.0.1", 1}, {"127.1.2.3", 2}, {"::1", 3}, {"localhost", 4}}).empty());
  CHECK(doors({}, {{"127.0.0.1", 1}, {"::", 2}, {"10.1.2.3", 3}}).size() == 2);
}

TEST_CASE("open doors: who must show a certificate is asked for something") {
  for (bool TlsOptions::*const asks : {&TlsOptions::verify, &TlsOptions::verify_and_map}) {
    Options options = with_user();
    options.security.no_auth_user = "u";
    options.security.tls.emplace();
    CHECK(doors(options).size() == 1);
    (*options.security.tls).*asks = true;
    CHECK(doors(options).empty());
  }
  Options options;
  options.security.tls.emplace().pinned_certs = {"a pin"};
  CHECK(doors(options).empty());
  options.security.allow_non_tls = true;  // Who speaks in clear shows none.
  CHECK(doors(options).size() == 1);
}

TEST_CASE("open doors: that of websockets has its own rules") {
  const ListenAddress websocket{"::", 8080};
  Options options = with_user();
  CHECK(doors(options, {}, websocket).empty());
  options.websocket.no_auth_user = "u";
  CHECK(doors(options, {{"0.0.0.0", 4222}}, websocket) ==
        Sentences{"websocket: :::8080 lets in whoever reaches it as \"u\", who is no_auth_user"});
  CHECK(
      doors({}, {}, websocket) ==
      Sentences{"websocket: :::8080 is open to whoever reaches it: no user, token or key is asked "
                "for"});
  CHECK(doors({}, {}, {"127.0.0.1", 8080}).empty());
}

}  // namespace
}  // namespace peal::server
