#pragma once
// Places inside the server where the world has a word though no seam is there: the linker brings
// their calls to interposed.cpp first.
//
//   allocate_or_refuse     there may be no memory, where the caller can bear that
//   ShardLink::has_news    other shards run between this look and what is made of it

#include <cstdint>

namespace peal::sim {

/// Blocks that the current world has refused.
uint64_t blocks_refused();

}  // namespace peal::sim
