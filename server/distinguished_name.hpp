#pragma once
// A distinguished name, as certificates have one and as users may be called: read from text
// (RFC 4514) or put together, then compared by a key. It knows text and ten types of attributes; it
// must never know a certificate or a user.
//
// Two names are the same where nats-server says so: the same attributes, in small or capital
// letters, with the same values to the byte.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peal::server {

struct NameAttribute {
  std::string type;  // Like `CN`.
  std::string value;
};

class DistinguishedName {
 public:
  /// Blanks around a comma, a plus and an equals sign are none of it. Nothing if it is not such a
  /// name, or has a type that is not known: not one of C, O, OU, CN, SERIALNUMBER, L, ST, STREET,
  /// POSTALCODE and DC.
  static std::optional<DistinguishedName> parse(std::string_view text);

  /// One more part behind the others, most often of one attribute. Text has the part that is last
  /// in a certificate first. False, and nothing done, if a type is not known or a value is empty.
  bool add(const std::vector<NameAttribute>& part);

  bool empty() const { return parts_.empty(); }
  std::string key_in_order() const;
  /// The same for names that differ in nothing but the order of their parts.
  std::string key_in_any_order() const;

 private:
  std::vector<std::string> parts_;  // As they stand in a key.
};

}  // namespace peal::server
