#pragma once
// The numbers by which shards and accounts are known.

#include <cstdint>

namespace peal::server {

using ShardId = uint16_t;
using AccountId = uint16_t;
inline constexpr AccountId global_account = 0;

/// So that a shard and a count of queue group members fit one word (server/interest_entry.hpp).
inline constexpr ShardId shards_max = 1024;

}  // namespace peal::server
