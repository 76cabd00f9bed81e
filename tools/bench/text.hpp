#pragma once
// Figures as people read them. It knows digits and units.

#include <cstdint>
#include <string>

namespace peal::bench {

/// 1,234,567
std::string grouped(uint64_t number);
std::string grouped(double number);
/// 812 B, 12.3 KiB, 1.21 GiB
std::string shown_bytes(double bytes);
/// 812 ns, 12.3 us, 1.21 s
std::string shown_time(double ns);

}  // namespace peal::bench
