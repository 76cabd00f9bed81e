#include "server/config_tls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/letter_case.hpp"

namespace peal::server {
namespace {

struct Name {
  std::string_view go;  // As configuration files have it.
  std::string_view openssl;
  bool tls13 = false;
};

// What nats-server takes without allow_insecure_cipher_suites, and what is still worth offering.
constexpr Name suites[] = {
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", true},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", true},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", true},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

constexpr Name curves[] = {
    {"X25519", "X25519"}, {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}};

const Name* find(std::span<const Name> names, std::string_view wanted) {
  const auto place =
      std::ranges::find_if(names, [&](const Name& name) { return name.go == wanted; });
  return place == names.end() ? nullptr : &*place;
}

/// A list that names nothing would leave nothing to speak; nats-server refuses it as well.
ConfigError read_names(const ConfigValue& value, std::string_view key,
                       std::vector<std::string>& wanted) {
  if (auto error = read_texts(value, wanted)) return error;
  if (!wanted.empty()) return {};
  return error_at(value.position, fmt::format("{} names none; leave it out for the default", key));
}

ConfigError read_suites(const ConfigValue& value, TlsOptions& tls) {
  std::vector<std::string> wanted;
  if (auto error = read_names(value, "cipher_suites", wanted)) return error;
  for (const std::string& name : wanted) {
    const Name* const known = find(suites, name);
    if (known == nullptr) {
      return error_at(value.position,
                      fmt::format("\"{}\" is no cipher suite that is safe to offer", name));
    }
    (known->tls13 ? tls.suites : tls.ciphers).emplace_back(known->openssl);
  }
  return {};
}

ConfigError read_curves(const ConfigValue& value, TlsOptions& tls) {
  std::vector<std::string> wanted;
  if (auto error = read_names(value, "curve_preferences", wanted)) return error;
  for (const std::string& name : wanted) {
    const Name* const known = find(curves, name);
    if (known == nullptr) {
      return error_at(
          value.position,
          fmt::format("\"{}\" is none of X25519, CurveP256, CurveP384, CurveP521", name));
    }
    tls.curves.emplace_back(known->openssl);
  }
  return {};
}

Refusal read_min_version(const ConfigValue& value, TlsOptions& tls) {
  std::string text;
  if (const double* const number = std::get_if<double>(&value.content)) {
    text = fmt::format("{}", *number);
  } else if (auto refusal = read_text(value, text)) {
    return refusal;
  }
  if (text != "1.2" && text != "1.3") return fmt::format("\"{}\" is neither 1.2 nor 1.3", text);
  tls.minor_version_min = text.back() - '0';
  return {};
}

Refusal read_handshake_first(const ConfigValue& value, TlsOptions& tls) {
  using namespace std::chrono_literals;
  const auto* const text = std::get_if<std::string>(&value.content);
  if (text == nullptr) return read_boolean(value, tls.handshake_first);
  tls.handshake_first = true;
  if (*text == "auto") return tls.handshake_first_wait = 50ms, std::nullopt;
  return read_duration(value, tls.handshake_first_wait);
}

ConfigError read_certificates(const ConfigValue& value, TlsOptions& tls) {
  const auto* const array = std::get_if<ConfigArray>(&value.content);
  if (array == nullptr) return placed(value.position, expected("an array of maps", value));
  for (const ConfigValue& item : *array) {
    CertificatePair pair;
    const std::array keys{
        text_key("cert_file", pair.certificate_file),
        text_key("key_file", pair.key_file),
    };
    if (auto error = read_block("a certificate", item, keys)) return error;
    if (pair.certificate_file.empty() || pair.key_file.empty()) {
      return error_at(item.position, "a certificate needs cert_file and key_file");
    }
    tls.certificates.push_back(std::move(pair));
  }
  return {};
}

ConfigError read_pinned(const ConfigValue& value, TlsOptions& tls) {
  constexpr size_t hex_digits = 64;
  if (auto error = read_texts(value, tls.pinned_certs)) return error;
  for (std::string& pin : tls.pinned_certs) {
    pin = protocol::lowered(pin);
    if (pin.size() != hex_digits ||
        pin.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return error_at(
          value.position,
          fmt::format("\"{}\" is no SHA-256 of a public key: 64 hexadecimal digits", pin));
    }
  }
  return {};
}

}  // namespace

ConfigError read_tls(const ConfigValue& value, std::optional<TlsOptions>& out) {
  TlsOptions tls;
  CertificatePair pair;
  int64_t rate = 0;
  const std::array keys{
      text_key("cert_file", pair.certificate_file),
      text_key("key_file", pair.key_file),
      BlockKey{"certs,certificates",
               [&](const ConfigEntry& entry) { return read_certificates(entry.value, tls); }},
      text_key("ca_file", tls.ca_file),
      boolean_key("verify", tls.verify),
      boolean_key("verify_and_map", tls.verify_and_map),
      value_key("min_version", [&](const ConfigValue& of) { return read_min_version(of, tls); }),
      BlockKey{"cipher_suites",
               [&](const ConfigEntry& entry) { return read_suites(entry.value, tls); }},
      BlockKey{"curve_preferences",
               [&](const ConfigEntry& entry) { return read_curves(entry.value, tls); }},
      duration_key("timeout", tls.timeout),
      integer_key("connection_rate_limit", 0, INT32_MAX, rate),
      BlockKey{"pinned_certs",
               [&](const ConfigEntry& entry) { return read_pinned(entry.value, tls); }},
      value_key("handshake_first,first,immediate",
                [&](const ConfigValue& of) { return read_handshake_first(of, tls); }),
      BlockKey{"ocsp_peer", not_supported_yet},
      BlockKey{"insecure,verify_cert_and_check_known_urls", not_supported_yet},
      BlockKey{"allow_insecure_cipher_suites", not_supported_yet},
      BlockKey{"cert_store,cert_match_by,cert_match,ca_certs_match,cert_match_skip_invalid",
               not_supported_yet},
  };
  if (auto error = read_block("tls", value, keys)) return error;
  if (!pair.certificate_file.empty() || !pair.key_file.empty()) {
    tls.certificates.insert(tls.certificates.begin(), std::move(pair));
  }
  if (tls.certificates.empty() || tls.certificates.front().certificate_file.empty() ||
      tls.certificates.front().key_file.empty()) {
    return error_at(value.position, "tls needs a certificate: cert_file and key_file");
  }
  if (tls.timeout.count() == 0) tls.timeout = TlsOptions{}.timeout;
  tls.connections_per_second_max = static_cast<uint32_t>(rate);
  out = std::move(tls);
  return {};
}

}  // namespace peal::server
