#pragma once
// What a client's certificate calls its owner. It knows certificates; it must never know a session,
// nor who is a user.

#include <optional>
#include <string>
#include <vector>

#include "server/distinguished_name.hpp"

struct x509_st;

namespace peal::server {

struct PeerNames {
  /// In nats-server's order: e-mail, DNS and URI names, then the subject (RFC 2253).
  std::vector<std::string> texts;
  /// The subject once more, if all of it is known.
  std::optional<DistinguishedName> subject;
};

PeerNames names_of(x509_st* certificate);

/// RFC 2253.
std::string subject_of(x509_st* certificate);

}  // namespace peal::server
