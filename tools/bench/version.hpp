#pragma once
// What peal-bench calls itself: in --version and to servers. meson.build says the same number, and
// tests/architecture holds the two together.

#include <string_view>

namespace peal::bench {

inline constexpr std::string_view program_name = "peal-bench";
inline constexpr std::string_view version = "0.1.0";

}  // namespace peal::bench
