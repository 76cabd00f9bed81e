#pragma once
// A reactor without a kernel, for measuring what a server does by itself: descriptors are numbers,
// what a connection receives is put in its mouth, and what it sends is taken at once. The third
// implementation of the seam in core/reactor.hpp, chosen at link time.

#include <cstdint>
#include <string_view>

namespace peal::perf {

/// What the next turn of the reactor with this handle finds to be received by the connection; once.
void feed(int descriptor, std::string_view bytes);

/// Bytes taken from a connection so far.
uint64_t sent_bytes(int descriptor);

}  // namespace peal::perf
