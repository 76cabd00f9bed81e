#pragma once
// One subscription of a connection of this shard. It knows its sid and its place; what subject it
// is on its entry knows, and what its owner is only the caller.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace peal::server {

inline constexpr uint32_t no_subscription = UINT32_MAX;

/// Small, because there may be millions. It belongs to the shard's Interest, which alone makes it
/// and frees it; it stays where it is until Interest::reclaim() after its unsubscribe().
class Subscription {
 public:
  uint32_t id;                 // Its own place, for links.
  uint32_t owner;              // The connection's slot.
  uint32_t delivered = 0;      // Since SUB; stops at its highest value.
  uint32_t delivered_max = 0;  // UNSUB's maximum; 0 for none.

 private:
  friend class Interest;
  uint32_t owned_next_ = no_subscription;  // Of one owner. Once unsubscribed: of those to be freed.
  uint32_t owned_prev_ = no_subscription;
  uint32_t entry_;   // What it is subscribed to.
  uint32_t member_;  // Its place among that entry's members.

 public:
  bool in_force = true;  // False between unsubscribe() and reclaim().
  bool in_queue_group : 1 = false;
  bool filtered : 1 = false;  // Its owner may not see all that it matches.
  bool literal : 1 = false;   // It matches one subject alone.

  void count_delivered(size_t count) {
    const size_t left = UINT32_MAX - delivered;
    delivered += static_cast<uint32_t>(count < left ? count : left);
  }

  std::string_view sid() const {
    if (sid_bytes_ <= sid_inline_bytes) return {sid_, sid_bytes_};
    return long_sid();
  }

 private:
  // Clients count their sids from 1, so these are more than enough; what is longer lies in a block.
  static constexpr uint8_t sid_inline_bytes = 13;
  static constexpr uint8_t sid_is_long = UINT8_MAX;

  struct LongSid {
    uint32_t bytes;
    char text[1];  // And on.
  };

  std::string_view long_sid() const {
    const LongSid* block;
    std::memcpy(&block, sid_, sizeof block);
    return {reinterpret_cast<const char*>(block) + offsetof(LongSid, text), block->bytes};
  }

  Subscription(uint32_t its_id, uint32_t its_owner) : id(its_id), owner(its_owner) {}

  uint8_t sid_bytes_ = 0;
  char sid_[sid_inline_bytes];  // Or the address of a LongSid, then its number in the pool.
};

static_assert(sizeof(Subscription) == 48, "there may be millions");

}  // namespace peal::server
