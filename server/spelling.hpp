#pragma once
// What somebody may have meant who mistyped the name of a flag or of a configuration key. Text in,
// text out; it knows no flag and no key of its own.

#include <span>
#include <string>
#include <string_view>

namespace peal::server {

/// The candidate closest to `name`, or empty when none is close enough to be worth saying.
/// Letters count as equal in either case, and so do '-' and '_'.
std::string_view closest_name(std::string_view name, std::span<const std::string_view> candidates);

/// "; did you mean X?" for the end of a refusal, or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

/// Lower case, with '_' for '-': how names are compared.
std::string folded_name(std::string_view name);

/// Capital letters for the small ones of ASCII.
std::string in_capitals(std::string_view text);

}  // namespace peal::server
