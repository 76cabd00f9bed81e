#pragma once
// Numbers and times as configuration files spell them. Text in, value out, nothing if it is none.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peal::server {

/// 12, -1, 64k (thousands), 64kb, 64ki, 64kib (of 1,024), and so on with m, g, t, p, e in either
/// case.
std::optional<int64_t> config_integer(std::string_view word);

/// 1.5: digits on both sides of one point.
std::optional<double> config_fraction(std::string_view word);

/// As Go spells it: 2m, 1h30m, 1.5s, -500ms; h, m, s, ms, us, ns. Nothing if it exceeds 292 years.
std::optional<std::chrono::nanoseconds> config_duration(std::string_view text);

/// The same the other way round, in the shortest of whole units: 2m, 90s, 1500ms.
std::string config_duration_text(std::chrono::nanoseconds duration);

}  // namespace peal::server
