#include "server/interest.hpp"

#include <cassert>
#include <cstring>
#include <new>

#include "protocol/subject.hpp"

namespace peal::server {

// What a match works in is kept for the next one, unless a subject of a megabyte has blown it up.
static constexpr size_t scratch_bytes_max = 64 * 1024;

Interest::Interest(ShardId here, ShardId shards, uint64_t seed)
    : here_(here),
      shards_(shards),
      hasher_(seed),
      filters_(pool_, hasher_),
      changes_(pool_, shards),
      cache_(hasher_),
      builder_(pool_, hasher_, shards),
      tokens_(hasher_) {
  assert(here < shards && shards <= shards_max);
}

Subscription* Interest::subscribe(AccountId account, uint32_t owner, uint32_t& owned,
                                  std::string_view sid, std::string_view filter,
                                  std::string_view queue, bool filtered) {
  // Each of these lies far away; asked for first, they come while the others are worked on.
  const uint32_t hash = sid_hash(owner, sid);
  sids_.prefetch(hash);
  const EntryKey key = filters_.key_of(account, filter, queue);
  filters_.prefetch(key);
  if (find_sid(hash, owner, sid) != no_subscription) return nullptr;

  const uint32_t number = filters_.find_or_add(key);
  Entry& to = entry(number);
  const uint32_t id = pool_.allocate(sizeof(Subscription));
  Subscription& added = *new (pool_.at(id)) Subscription(id, owner);
  added.entry_ = number;
  added.member_ = to.members.size();
  added.in_queue_group = to.in_queue_group;
  added.filtered = filtered;
  added.literal = to.literal();
  filtered_ += filtered;
  set_sid(added, sid);
  to.members.push(pool_, id);
  own(added, owned);
  sids_.insert(hash, id);
  subscriptions_++;

  plans_changed(key);
  if (to.in_queue_group || to.members.size() == 1) note_change(number);
  return &added;
}

void Interest::unsubscribe(Subscription& subscription, uint32_t& owned) {
  assert(subscription.in_force);
  const uint32_t number = subscription.entry_;
  Entry& from = entry(number);
  __builtin_prefetch(&from);
  for (const uint32_t neighbour : {subscription.owned_next_, subscription.owned_prev_}) {
    if (neighbour != no_subscription) __builtin_prefetch(at(neighbour));
  }
  const uint32_t hash = sid_hash(subscription.owner, subscription.sid());
  sids_.prefetch(hash);
  const EntryKey key = filters_.key_of(from);
  filters_.prefetch(key);

  subscription.in_force = false;
  subscriptions_--;
  filtered_ -= subscription.filtered;
  disown(subscription, owned);
  sids_.erase(hash, subscription.id);
  from.members.remove(pool_, subscription.member_);
  if (subscription.member_ < from.members.size()) {
    at(from.members.get(pool_, subscription.member_))->member_ = subscription.member_;
  }
  subscription.owned_next_ = unsubscribed_;
  unsubscribed_ = subscription.id;

  plans_changed(key);
  if (from.in_queue_group || from.members.empty()) note_change(number);
  free_if_unwanted(number, key);
}

void Interest::reclaim() {
  cache_.forget_ended();
  release_scratch();
  while (unsubscribed_ != no_subscription) {
    const Subscription& gone = *at(unsubscribed_);
    const uint32_t id = unsubscribed_;
    unsubscribed_ = gone.owned_next_;
    if (gone.sid_bytes_ == Subscription::sid_is_long) {
      uint32_t block;
      std::memcpy(&block, gone.sid_ + sizeof(void*), sizeof block);
      pool_.free(block);
    }
    pool_.free(id);
  }
}

const Plan& Interest::make_plan(uint64_t hash, AccountId account, std::string_view subject) {
  filters_.prefetch_literal(hash);
  const bool admitted = cache_.admits(hash);
  builder_.begin(subject, filtered_ > 0 ? &delivery_filter_ : nullptr);
  chains_.clear();
  bool last_token_mattered = false;
  if (admitted || !filters_.trie().empty(account)) {
    last_token_mattered =
        !tokens_.read(subject) || filters_.trie().collect(account, tokens_, chains_);
  }
  const uint32_t literal = filters_.literal_chain(account, subject, hash);
  if (literal != Filters::none) builder_.add_chain(literal);
  for (const uint32_t chain : chains_) builder_.add_chain(chain);
  const Plan& plan = builder_.finish(literal == Filters::none && !last_token_mattered);
  if (!admitted) return plan;

  const MatchCache::Scope scope = cache_.scope_of(account, tokens_.size() > 0 ? tokens_.hash(0) : 0,
                                                  tokens_.size() > 1 ? tokens_.hash(1) : 0);
  return cache_.insert(hash, account, subject, scope, plan);
}

bool Interest::next_change(ShardId target, InterestChange& change) const {
  assert(target != here_ && target < shards_);
  InterestChanges::Next next;
  if (!changes_.next(target, next)) return false;
  const Entry& changed = entry(next.entry);
  const uint32_t members = changed.members.size();
  change = {changed.account, changed.filter(), changed.queue(),
            changed.in_queue_group || members == 0 ? members : 1, next.epoch};
  return true;
}

void Interest::taken(ShardId target) {
  assert(target != here_ && target < shards_);
  const uint32_t number = changes_.taken(target);
  if (number != InterestChanges::none && !entry(number).wanted()) {
    filters_.remove(number, filters_.key_of(entry(number)));
  }
}

void Interest::apply(ShardId from, const InterestChange& change) {
  assert(from != here_ && from < shards_);
  const EntryKey key = filters_.key_of(change.account, change.filter, change.queue);
  if (change.members == 0) {
    const uint32_t number = filters_.find(key);
    if (number == Filters::none) return;
    if (set_elsewhere(entry(number), from, 0)) plans_changed(key);
    return free_if_unwanted(number, key);
  }
  const uint32_t number = filters_.find_or_add(key);
  const uint32_t members = change.queue.empty() ? 1 : change.members;
  if (set_elsewhere(entry(number), from, members)) plans_changed(key);
}

Subscription* Interest::find(uint32_t owner, std::string_view sid) {
  const uint32_t id = find_sid(sid_hash(owner, sid), owner, sid);
  return id == no_subscription ? nullptr : at(id);
}

std::string_view Interest::filter_of(const Subscription& subscription) const {
  assert(subscription.in_force);
  return entry(subscription.entry_).filter();
}

std::string_view Interest::queue_of(const Subscription& subscription) const {
  assert(subscription.in_force);
  return entry(subscription.entry_).queue();
}

size_t Interest::memory_bytes() const {
  return pool_.bytes() + sids_.bytes() + filters_.bytes() + changes_.bytes() + cache_.bytes() +
         builder_.bytes() + tokens_.bytes() + chains_.capacity() * sizeof(uint32_t);
}

size_t Interest::bytes_about(const Subscription& subscription) const {
  const size_t sid_bytes =
      subscription.sid_bytes_ == Subscription::sid_is_long ? subscription.sid().size() : 0;
  return sizeof(Subscription) + sid_bytes + core::HashIndex::pair_bytes_about +
         shards_ * Filters::bytes_about(entry(subscription.entry_));
}

void Interest::release_scratch() {
  if (tokens_.bytes() > scratch_bytes_max) tokens_.release();
  if (chains_.capacity() * sizeof(uint32_t) > scratch_bytes_max)
    std::vector<uint32_t>().swap(chains_);
  filters_.trie().release_scratch(scratch_bytes_max);
}

// ---- Sids and owners.

uint32_t Interest::find_sid(uint32_t hash, uint32_t owner, std::string_view sid) const {
  return sids_.find(hash, [&](uint32_t id) {
    const Subscription& candidate = pool_.get<Subscription>(id);
    return candidate.owner == owner && candidate.sid() == sid;
  });
}

void Interest::set_sid(Subscription& subscription, std::string_view sid) {
  if (sid.size() <= Subscription::sid_inline_bytes) {
    subscription.sid_bytes_ = static_cast<uint8_t>(sid.size());
    std::memcpy(subscription.sid_, sid.data(), sid.size());
    return;
  }
  using LongSid = Subscription::LongSid;
  const uint32_t block = pool_.allocate(sizeof(LongSid) + sid.size());
  LongSid* const text = new (pool_.at(block)) LongSid{static_cast<uint32_t>(sid.size()), {}};
  std::memcpy(reinterpret_cast<char*>(text) + offsetof(LongSid, text), sid.data(), sid.size());
  static_assert(sizeof text + sizeof block <= Subscription::sid_inline_bytes);
  std::memcpy(subscription.sid_, &text, sizeof text);
  std::memcpy(subscription.sid_ + sizeof text, &block, sizeof block);
  subscription.sid_bytes_ = Subscription::sid_is_long;
}

void Interest::own(Subscription& subscription, uint32_t& owned) {
  subscription.owned_next_ = owned;
  if (owned != no_subscription) at(owned)->owned_prev_ = subscription.id;
  owned = subscription.id;
}

void Interest::disown(Subscription& subscription, uint32_t& owned) {
  const uint32_t prev = subscription.owned_prev_;
  const uint32_t next = subscription.owned_next_;
  if (next != no_subscription) {
    at(next)->owned_prev_ = prev;
    __builtin_prefetch(&entry(at(next)->entry_));  // Who closes goes on with that one.
  }
  if (prev != no_subscription) {
    at(prev)->owned_next_ = next;
  } else {
    assert(owned == subscription.id);
    owned = next;
  }
}

// ---- Entries.

/// Ends every plan that the filter might be part of (server/match_cache.hpp says which).
void Interest::plans_changed(const EntryKey& key) {
  epoch_++;
  if (key.literal) return cache_.end_literal(key.hash, key.account, key.filter);
  protocol::Tokens tokens(key.filter);
  uint32_t hashes[2] = {0, 0};
  int literal_tokens = 0;
  for (std::string_view token; literal_tokens < 2 && tokens.next(token); literal_tokens++) {
    if (token == "*" || token == ">") break;
    hashes[literal_tokens] = SubjectTokens::hash_of(hasher_, token);
  }
  const MatchCache::Scope scope = cache_.scope_of(key.account, hashes[0], hashes[1]);
  switch (literal_tokens) {
    case 0:
      return cache_.end_account(key.account);
    case 1:
      return cache_.end_first(scope);
    default:
      return cache_.end_second(scope);
  }
}

void Interest::forget_plans() {
  epoch_++;
  cache_.end_all();
}

void Interest::note_change(uint32_t number) {
  if (shards_ > 1) changes_.note(number);
}

void Interest::free_if_unwanted(uint32_t number, const EntryKey& key) {
  if (!entry(number).wanted()) filters_.remove(number, key);
}

/// False when it was so already.
bool Interest::set_elsewhere(Entry& of, ShardId shard, uint32_t members) {
  core::WordList& words = of.elsewhere;
  for (uint32_t i = 0; i < words.size(); i++) {
    const uint32_t word = words.get(pool_, i);
    if (Elsewhere::shard(word) != shard) continue;
    if (members == 0) {
      words.remove(pool_, i);
      return true;
    }
    const uint32_t now = Elsewhere::word(shard, members);
    words.set(pool_, i, now);
    return now != word;
  }
  if (members > 0) words.push(pool_, Elsewhere::word(shard, members));
  return members > 0;
}

}  // namespace peal::server
