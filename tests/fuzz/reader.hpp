#pragma once
// The input of a fuzzer as a row of choices and texts. Behind its end there is nothing but zeros.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace peal::fuzz {

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool ended() const { return rest_.empty(); }

  uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  /// Up to the next `end`, which is taken as well.
  std::string_view text_until(char end) {
    const std::string_view text = rest_.substr(0, rest_.find(end));
    rest_.remove_prefix(text.size() == rest_.size() ? text.size() : text.size() + 1);
    return text;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace peal::fuzz
