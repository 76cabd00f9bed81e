#pragma once
// The numbers by which shards and accounts are known.

#include <cstddef>
#include <cstdint>

namespace peal::server {

using ShardId = uint16_t;
using AccountId = uint16_t;
inline constexpr AccountId global_account = 0;
/// Accounts that one server may have, the global one included. So that their ids fit.
inline constexpr size_t accounts_max = 65536;

/// So that a shard and a count of queue group members fit one word (server/interest_entry.hpp).
inline constexpr ShardId shards_max = 1024;

/// By which listener a client came.
enum class Door : uint8_t { plain, websocket };

}  // namespace peal::server
