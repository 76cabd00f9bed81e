#pragma once
// Who gets a message on one subject: a value for the router to walk. It points into memory of the
// shard's Interest.

#include <cstdint>
#include <span>
#include <string_view>

#include "server/ids.hpp"
#include "server/subscription.hpp"

namespace peal::server {

/// The members of one queue group that may take a message: here, and how many on each other shard.
/// A connection with two subscriptions that match has two chances.
struct QueuePlan {
  struct Elsewhere {
    ShardId shard;
    uint32_t members;
  };
  std::string_view name;
  std::span<Subscription* const> here;
  std::span<const Elsewhere> elsewhere;  // In order of shards, each once.
  uint32_t members_elsewhere = 0;        // The sum over `elsewhere`.
};

/// Everybody who gets a message on one subject: each plain subscription, and of each group one.
struct Plan {
  std::span<Subscription* const> plain;
  std::span<const ShardId> shards;    // Shards with a plain subscription, each once, in order.
  std::span<const QueuePlan> queues;  // One per group name, joined over all filters that match.
  // The subject's last token has made no difference: another one gives the same plan, unless that
  // subject is a literal filter.
  bool for_any_last_token = false;

  bool empty() const { return plain.empty() && shards.empty() && queues.empty(); }
};

}  // namespace peal::server
