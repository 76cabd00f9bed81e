// Any bytes as what a client that wants TLS sends first, whole and byte by byte: the handshake goes
// on, wants more or fails with a reason, and the two come to the same. None of it ends in a
// session.

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "server/tls_session.hpp"

namespace {

using peal::server::TlsContext;
using peal::server::TlsSession;
using Outcome = TlsSession::Outcome;

// A certificate that lives as long as the fuzzer.
std::shared_ptr<const TlsContext> make_context() {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());

  std::string folder = (std::filesystem::temp_directory_path() / "peal-fuzz-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  peal::server::TlsOptions options;
  options.certificates = {{folder + "/certificate.pem", folder + "/key.pem"}};
  std::FILE* file = std::fopen((folder + "/certificate.pem").c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen((folder + "/key.pem").c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
  auto context = TlsContext::make(options);
  std::filesystem::remove_all(folder);
  if (!std::holds_alternative<std::shared_ptr<const TlsContext>>(context)) std::abort();
  return std::get<std::shared_ptr<const TlsContext>>(context);
}

Outcome shake(const std::shared_ptr<const TlsContext>& context, std::string_view bytes,
              size_t piece_bytes) {
  TlsSession session(context);
  Outcome outcome = Outcome::wants_more;
  while (!bytes.empty() && outcome == Outcome::wants_more) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    session.add_input(piece);
    session.handshake();
    outcome = session.handshake_outcome();
  }
  if (outcome == Outcome::done) std::abort();
  if (outcome == Outcome::failed && session.error().empty()) std::abort();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const TlsContext> context = make_context();
  if (size > 4096) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = shake(context, bytes, size + 1);
  if (shake(context, bytes, 1) != whole) std::abort();
  return 0;
}
