#pragma once
// How much of the machine this process may use: cores, memory, descriptors. It asks the kernel and
// the control groups, of either version, and takes the least of what they say.

#include <cstdint>
#include <string>

namespace peal::server {

/// Whole cores: the affinity mask, or fewer if a quota says so, and at least one. `root` stands
/// before /proc and /sys, so that a test can bring its own.
unsigned cpu_allowance(const std::string& root = "");

/// The machine's memory, or less if a control group says so.
uint64_t memory_allowance_bytes(const std::string& root = "");

/// How much memory the process may lock, which rings count against; nothing says so for root.
uint64_t locked_memory_allowance_bytes();

/// Lets the process open as many descriptors as it is allowed to ask for, and returns how many.
uint64_t raise_descriptor_limit();

/// Has the kernel make its table of our descriptors long enough for so many. Else it doubles the
/// table when one more is opened than it holds, and once there are threads whoever opened it is
/// stopped meanwhile: 10 to 30 ms for each doubling. To be called before the first thread; where it
/// fails nothing is lost but that.
void reserve_descriptors(uint64_t count);

}  // namespace peal::server
