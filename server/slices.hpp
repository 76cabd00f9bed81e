#pragma once
// How a run of messages is cut for the members of a queue group, who get it in turn
// (docs/decisions/0021-slices.md).

#include <cstddef>

namespace peal::server {

/// A member gets no more of a run at a time, so that what is for one and what is for the next are
/// not far from each other.
inline constexpr size_t slice_messages_max = 64;

/// How many of the messages that are left of a run the next member gets. `slices` is for this
/// function alone: 0 at first, and given again for the same run. When the run has ended no member
/// has got more than one message more than another. REQUIRES messages and members.
constexpr size_t next_slice(size_t messages, size_t members, size_t& slices) {
  const auto divided_up = [](size_t whole, size_t part) { return (whole + part - 1) / part; };
  if (slices == 0) slices = members * divided_up(messages, members * slice_messages_max);
  return divided_up(messages, slices--);
}

}  // namespace peal::server
