#include "server/distinguished_name.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "server/spelling.hpp"

namespace peal::server {
namespace {

// nats-server knows these, and takes no name that has another.
constexpr std::array<std::string_view, 10> known_types = {
    "C", "CN", "DC", "L", "O", "OU", "POSTALCODE", "SERIALNUMBER", "ST", "STREET"};

constexpr std::string_view escapable = " \"#+,;<=>\\";

/// Reads attribute by attribute. What it takes from the front of the text is gone.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<NameAttribute> attribute() {
    skip_blanks();
    const size_t equals = rest_.find('=');
    if (equals == rest_.npos) return {};
    std::string_view type = rest_.substr(0, equals);
    rest_.remove_prefix(equals + 1);
    type = type.substr(0, type.find_last_not_of(' ') + 1);
    auto text = value();
    if (!text) return {};
    return NameAttribute{std::string(type), *std::move(text)};
  }

  bool ended() const { return rest_.empty(); }
  /// The sign behind an attribute that was not the last.
  char take() {
    const char sign = rest_.front();
    rest_.remove_prefix(1);
    return sign;
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.size(), rest_.find_first_not_of(' '))); }

  // An equals sign has to be escaped, and what begins with # is not text: nats-server takes either
  // for something else.
  std::optional<std::string> value() {
    if (rest_.starts_with('#')) return {};
    skip_blanks();
    std::string text;
    size_t wanted_bytes = 0;  // Without the blanks at its end, but for those that are escaped.
    while (!ended() && rest_.front() != ',' && rest_.front() != '+') {
      const char sign = take();
      if (sign == '=') return {};
      if (sign == '\\') {
        const auto escaped_byte = escaped();
        if (!escaped_byte) return {};
        text += *escaped_byte;
      } else {
        text += sign;
      }
      if (sign != ' ') wanted_bytes = text.size();
    }
    text.resize(wanted_bytes);
    return text;
  }

  std::optional<char> escaped() {
    if (ended()) return {};
    const char sign = take();
    if (escapable.find(sign) != escapable.npos) return sign;
    if (ended()) return {};
    const std::array digits{sign, take()};
    unsigned byte = 0;
    const auto read = std::from_chars(digits.begin(), digits.end(), byte, 16);
    if (read.ptr != digits.end()) return {};
    return static_cast<char>(byte);
  }

  std::string_view rest_;
};

std::string joined(const std::vector<std::string>& parts) {
  return std::accumulate(parts.begin(), parts.end(), std::string());
}

}  // namespace

std::optional<DistinguishedName> DistinguishedName::parse(std::string_view text) {
  DistinguishedName name;
  Reader reader(text);
  std::vector<NameAttribute> part;
  while (true) {
    auto attribute = reader.attribute();
    if (!attribute) return {};
    part.push_back(*std::move(attribute));
    const bool last = reader.ended();
    if (last || reader.take() == ',') {
      if (!name.add(part)) return {};
      part.clear();
    }
    if (last) return name;
  }
}

// A value can hold any byte, so its length stands before it: no two names have one key.
bool DistinguishedName::add(const std::vector<NameAttribute>& part) {
  std::vector<std::string> attributes;
  for (const NameAttribute& attribute : part) {
    const std::string type = in_capitals(attribute.type);
    if (std::ranges::find(known_types, type) == known_types.end()) return false;
    if (attribute.value.empty()) return false;
    attributes.push_back(type + '=' + std::to_string(attribute.value.size()) + ':' +
                         attribute.value);
  }
  if (attributes.empty()) return false;
  std::ranges::sort(attributes);
  parts_.push_back(joined(attributes) + ',');
  return true;
}

std::string DistinguishedName::key_in_order() const { return joined(parts_); }

std::string DistinguishedName::key_in_any_order() const {
  std::vector<std::string> sorted = parts_;
  std::ranges::sort(sorted);
  return joined(sorted);
}

}  // namespace peal::server
