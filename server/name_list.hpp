#pragma once
// The names of one thing, as a list such as "p,port": of a flag, or of a key of the configuration.

#include <string_view>

namespace peal::server {

/// One after the other.
template <typename Use>
void each_name(std::string_view names, Use use) {
  while (!names.empty()) {
    const size_t comma = names.find(',');
    use(names.substr(0, comma));
    names = comma == names.npos ? std::string_view() : names.substr(comma + 1);
  }
}

inline bool has_name(std::string_view names, std::string_view wanted) {
  bool found = false;
  each_name(names, [&](std::string_view name) { found |= name == wanted; });
  return found;
}

}  // namespace peal::server
