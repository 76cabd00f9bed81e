#include "server/tls_peer.hpp"

#include <openssl/x509v3.h>

#include <utility>

namespace peal::server {
namespace {

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int bytes = ASN1_STRING_to_UTF8(&utf8, string);
  if (bytes < 0) return {};
  std::string text(reinterpret_cast<char*>(utf8), static_cast<size_t>(bytes));
  OPENSSL_free(utf8);
  return text;
}

bool has_nul(const std::string& name) { return name.find('\0') != std::string::npos; }

// Names with a NUL in them say one thing to one reader and another to the next.
void add_name(std::vector<std::string>& names, std::string name) {
  if (!name.empty() && !has_nul(name)) names.push_back(std::move(name));
}

/// Empty for a type that is not known.
std::string type_of(const X509_NAME_ENTRY* entry) {
  switch (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry))) {
    case NID_countryName:
      return "C";
    case NID_commonName:
      return "CN";
    case NID_domainComponent:
      return "DC";
    case NID_localityName:
      return "L";
    case NID_organizationName:
      return "O";
    case NID_organizationalUnitName:
      return "OU";
    case NID_postalCode:
      return "POSTALCODE";
    case NID_serialNumber:
      return "SERIALNUMBER";
    case NID_stateOrProvinceName:
      return "ST";
    case NID_streetAddress:
      return "STREET";
    default:
      return {};
  }
}

/// Empty for what is no text, or is one in an encoding that readers do not agree about.
std::string value_of(const X509_NAME_ENTRY* entry) {
  const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(entry);
  switch (ASN1_STRING_type(value)) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_NUMERICSTRING:
    case V_ASN1_BMPSTRING: {
      std::string text = text_of(value);
      return has_nul(text) ? std::string() : text;
    }
    default:
      return {};
  }
}

// From its end, as it is written. Attributes of one part have one number.
std::optional<DistinguishedName> distinguished_name_of(const X509_NAME* certified) {
  DistinguishedName name;
  std::vector<NameAttribute> part;
  for (int i = X509_NAME_entry_count(certified) - 1; i >= 0; i--) {
    const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(certified, i);
    part.push_back({type_of(entry), value_of(entry)});
    const bool goes_on = i > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(certified, i - 1)) ==
                                      X509_NAME_ENTRY_set(entry);
    if (goes_on) continue;
    if (!name.add(part)) return {};
    part.clear();
  }
  if (name.empty()) return {};
  return name;
}

}  // namespace

std::string subject_of(X509* certificate) {
  BIO* const bio = BIO_new(BIO_s_mem());
  if (bio == nullptr) return {};
  X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio, &text);
  std::string subject(text, static_cast<size_t>(bytes));
  BIO_free(bio);
  return subject;
}

PeerNames names_of(X509* certificate) {
  PeerNames names;
  auto* const alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (const int kind : {GEN_EMAIL, GEN_DNS, GEN_URI}) {
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
      const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives, i);
      if (name->type == kind) add_name(names.texts, text_of(name->d.ia5));
    }
  }
  GENERAL_NAMES_free(alternatives);
  add_name(names.texts, subject_of(certificate));
  names.subject = distinguished_name_of(X509_get_subject_name(certificate));
  return names;
}

}  // namespace peal::server
