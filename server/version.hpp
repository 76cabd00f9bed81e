#pragma once
// What this build calls itself: in --version, in the log and in INFO. meson.build says the same
// number, and tests/architecture holds the two together.

#include <string_view>

namespace peal::server {

inline constexpr std::string_view program_name = "peal-server";
inline constexpr std::string_view version = "0.1.0";
/// The nats-server whose behaviour we answer to: clients tell by it what they may use.
inline constexpr std::string_view nats_version = "2.15.1";

}  // namespace peal::server
