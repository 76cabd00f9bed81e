#pragma once
// Times as nats-server writes them, which is how Go does: its tools read these texts. It knows
// numbers and letters.

#include <cstdint>
#include <string>

namespace peal::server::monitor {

/// "433µs", "1.5s", "1h2m3s".
std::string duration_text(int64_t ns);

/// "3s", "2m3s", "1h2m3s", "4d1h2m3s", "1y4d1h2m3s".
std::string uptime_text(int64_t ns);

/// "2026-11-21T10:04:54.894809652Z", without zeros at the end; of nanoseconds since 1970.
std::string time_text(int64_t unix_ns);

}  // namespace peal::server::monitor
