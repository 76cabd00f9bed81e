#pragma once
// Who wants what, as one shard knows it: its own subscriptions in full, and of every other shard
// that "shard k wants this filter, with n members of queue group g". Subject in, plan out. It knows
// subjects and numbers; it must never know a connection, a descriptor or a message.
//
// A literal filter is one entry in a hash index of whole subjects: the trie's path, compressed to
// one edge. Filters with wildcards branch token by token in a trie. A match asks both, and
// remembers its plan for as long as nothing that could change it has changed.
//
// What other shards must hear of is state, not a queue of messages: entries that changed form one
// list, and each target shard has a place in it. A million changes of one filter are one entry to
// send; an entry that nobody wants any more leaves when everyone has heard.
//
// Who subscribes chooses the text, so nothing here may be slow for any: hashes are seeded, no list
// is searched from end to end, no table is moved at once, and closing a connection with a million
// subscriptions is a million small steps that the caller may take slice by slice.
//
// One thread at a time: whoever runs the shard. Pointers to subscriptions live until reclaim(). A
// plan lives until the next match() or reclaim(), whatever is subscribed or unsubscribed meanwhile.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/block_pool.hpp"
#include "core/hash.hpp"
#include "core/hash_index.hpp"
#include "server/filters.hpp"
#include "server/ids.hpp"
#include "server/interest_changes.hpp"
#include "server/match_cache.hpp"
#include "server/plan.hpp"
#include "server/plan_builder.hpp"
#include "server/subject_tokens.hpp"
#include "server/subscription.hpp"

namespace peal::server {

/// "This shard now has so many members": absolute, so that hearing it twice does no harm.
struct InterestChange {
  AccountId account;
  std::string_view filter;
  std::string_view
      queue;  // Empty: plain subscriptions, of which only none (0) or some (1) is told.
  uint32_t members;
  uint64_t epoch;
};

class Interest {
 public:
  /// The seed should be drawn at random once per process: whoever knows it can make hashes collide.
  Interest(ShardId here, ShardId shards, uint64_t seed);
  Interest(const Interest&) = delete;
  Interest& operator=(const Interest&) = delete;

  /// Puts a subscription in force. `owned` is the head of the owner's list of subscriptions
  /// (no_subscription when it has none) and is kept by the caller. Returns nullptr and changes
  /// nothing when the owner has this sid already. REQUIRES a valid filter.
  Subscription* subscribe(AccountId account, uint32_t owner, uint32_t& owned, std::string_view sid,
                          std::string_view filter, std::string_view queue, bool filtered = false);

  /// Asked for those that were subscribed as filtered. Its answers are part of plans, so they must
  /// stay what they are until forget_plans().
  void set_delivery_filter(DeliveryFilter filter) { delivery_filter_ = filter; }
  void forget_plans();
  void set_filtered(Subscription& subscription, bool filtered) {
    filtered_ += filtered;
    filtered_ -= subscription.filtered;
    subscription.filtered = filtered;
  }

  Subscription* find(uint32_t owner, std::string_view sid);
  Subscription* at(uint32_t id) { return &pool_.get<Subscription>(id); }
  const Subscription* at(uint32_t id) const { return &pool_.get<Subscription>(id); }

  /// What the subscription is to. The views live until its unsubscribe().
  std::string_view filter_of(const Subscription& subscription) const;
  std::string_view queue_of(const Subscription& subscription) const;

  /// The next of the same owner, from the head that subscribe() keeps; no_subscription at the end.
  static uint32_t next_owned(const Subscription& subscription) { return subscription.owned_next_; }

  /// Takes it out of force at once; its memory stays until reclaim().
  void unsubscribe(Subscription& subscription, uint32_t& owned);

  /// Frees what was unsubscribed. No plan and no pointer to those may be held.
  void reclaim();

  /// Who gets a message on this subject. Wildcard characters in it are text. A subject with an
  /// empty token matches nothing.
  const Plan& match(AccountId account, std::string_view subject) {
    return match(hash_of(account, subject), account, subject);
  }
  /// The same for who has hash_of() them.
  const Plan& match(uint64_t hash, AccountId account, std::string_view subject) {
    cache_.forget_ended();
    const Plan* const known = cache_.find(hash, account, subject);
    return known != nullptr ? *known : make_plan(hash, account, subject);
  }

  uint64_t hash_of(AccountId account, std::string_view text) const {
    return filters_.hash_of(account, text);
  }

  /// Whether the subject is also a literal filter of somebody's.
  bool is_literal_filter(AccountId account, std::string_view subject) const {
    return filters_.has_literals() &&
           filters_.literal_chain(account, subject, hash_of(account, subject)) != Filters::none;
  }

  /// Changes whenever any plan might: what a plan said at this epoch still holds, and so do the
  /// pointers in it to subscriptions.
  uint64_t epoch() const { return epoch_; }

  // ---- What the other shards are told, and tell.

  /// The last change that others must hear of. Who waits for his own to be heard takes this number
  /// after it, grown or not: his change may have joined one that nobody had heard yet.
  uint64_t change_epoch() const { return changes_.epoch(); }

  /// The next change that `target` has not been given, oldest first; false when there is none. The
  /// views live until the next call that is not const. taken() moves on.
  bool next_change(ShardId target, InterestChange& change) const;
  void taken(ShardId target);

  /// Another shard's state. Counts for zero when it was never heard of.
  void apply(ShardId from, const InterestChange& change);

  // ---- For monitoring and the memory ledger.
  size_t subscriptions() const { return subscriptions_; }  // Of this shard, in force.
  size_t memory_bytes() const;
  /// What a subscription takes of all shards' memory, were nobody else to want the same.
  size_t bytes_about(const Subscription& subscription) const;
  /// There is hardly room for what other shards may still tell: nobody may subscribe any more.
  bool nearly_full() const { return pool_.nearly_full(); }
  /// So much that a few who come and go make no difference.
  bool has_room() const { return pool_.has_room(); }
  const CacheStats& cache_stats() const { return cache_.stats(); }

 private:
  const Plan& make_plan(uint64_t hash, AccountId account, std::string_view subject);
  Entry& entry(uint32_t number) const { return pool_.get<Entry>(number); }
  uint32_t sid_hash(uint32_t owner, std::string_view sid) const {
    return static_cast<uint32_t>(hasher_(sid, owner));
  }
  uint32_t find_sid(uint32_t hash, uint32_t owner, std::string_view sid) const;
  void set_sid(Subscription& subscription, std::string_view sid);
  void own(Subscription& subscription, uint32_t& owned);
  void disown(Subscription& subscription, uint32_t& owned);
  void plans_changed(const EntryKey& key);
  void note_change(uint32_t number);
  void free_if_unwanted(uint32_t number, const EntryKey& key);
  bool set_elsewhere(Entry& of, ShardId shard, uint32_t members);
  void release_scratch();

  const ShardId here_;
  const ShardId shards_;
  const core::Hasher hasher_;
  core::BlockPool pool_;
  core::HashIndex sids_;  // Owner and sid of every subscription: a connection holds no table.
  Filters filters_;
  InterestChanges changes_;
  MatchCache cache_;
  PlanBuilder builder_;
  SubjectTokens tokens_;
  std::vector<uint32_t> chains_;             // Of the filters that match.
  uint32_t unsubscribed_ = no_subscription;  // Head of the list for reclaim().
  DeliveryFilter delivery_filter_;
  size_t subscriptions_ = 0;
  size_t filtered_ = 0;  // Of those.
  uint64_t epoch_ = 0;
};

}  // namespace peal::server
