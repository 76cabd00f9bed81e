#include "server/match_cache.hpp"

#include <cstring>
#include <memory>
#include <new>

namespace peal::server {

MatchCache::MatchCache(const core::Hasher& hasher)
    : hasher_(hasher), sets_(std::make_unique<Set[]>(sets)) {}

MatchCache::~MatchCache() {
  forget_ended();
  for (size_t at = 0; at < sets; at++) {
    for (Block* block : sets_[at].blocks) ::operator delete(block);
  }
}

// It was here and has ended. It is in demand, so it need not apply for its place again.
void MatchCache::miss_ended(uint64_t hash) {
  Set& set = set_of(hash);
  set.seen[set.turn++ % candidates] = tag_of(hash);
  stats_.invalidations++;
  stats_.misses++;
}

bool MatchCache::admits(uint64_t hash) {
  Set& set = set_of(hash);
  for (const uint32_t tag : set.seen) {
    if (tag == tag_of(hash)) return true;
  }
  set.seen[set.turn++ % candidates] = tag_of(hash);
  return false;
}

MatchCache::Scope MatchCache::scope_of(AccountId account, uint32_t first, uint32_t second) const {
  const uint64_t one = hasher_.pair(account, first);
  const uint64_t both = hasher_.pair(one, second);
  return {static_cast<uint16_t>(account % by_account_.size()),
          static_cast<uint16_t>(one % by_first_.size()),
          static_cast<uint16_t>(both % by_second_.size())};
}

void MatchCache::end_literal(uint64_t hash, AccountId account, std::string_view filter) {
  Set& set = set_of(hash);
  const size_t way = way_of(set, hash, account, filter);
  if (way == ways) return;
  Block* const block = set.blocks[way];
  set.blocks[way] = nullptr;
  block->next = ended_;
  ended_ = block;
  set.seen[set.turn++ % candidates] = tag_of(hash);
  stats_.invalidations++;
}

void MatchCache::free_ended() {
  while (ended_ != nullptr) {
    Block* const block = ended_;
    ended_ = block->next;
    free(block);
  }
}

size_t MatchCache::bytes() const { return sizeof(*this) + sets * sizeof(Set) + block_bytes_; }

// ---- A plan as one piece.

static size_t aligned(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

static size_t names_bytes(const Plan& plan) {
  size_t bytes = 0;
  for (const QueuePlan& queue : plan.queues) bytes += queue.name.size();
  return bytes;
}

static size_t parts_bytes(const Plan& plan, size_t subject_bytes) {
  size_t bytes = aligned(subject_bytes) + plan.plain.size_bytes() + plan.queues.size_bytes() +
                 plan.shards.size_bytes() + names_bytes(plan);
  for (const QueuePlan& queue : plan.queues) {
    bytes += queue.here.size_bytes() + queue.elsewhere.size_bytes();
  }
  return bytes;
}

/// Copies the elements to `at`, which moves on behind them, and gives them back from there.
template <class Element>
static std::span<Element> copied(std::span<Element> from, char*& at) {
  using Plain = std::remove_const_t<Element>;
  Plain* const to = reinterpret_cast<Plain*>(at);
  std::uninitialized_copy(from.begin(), from.end(), to);
  at += from.size_bytes();
  return {to, from.size()};
}

/// In falling order of alignment, so that nothing need be padded but the subject before it.
static Plan copied(const Plan& from, char* at) {
  Plan plan;
  plan.for_any_last_token = from.for_any_last_token;
  plan.plain = copied(from.plain, at);
  QueuePlan* const queues = reinterpret_cast<QueuePlan*>(at);
  plan.queues = copied(from.queues, at);
  for (size_t i = 0; i < plan.queues.size(); i++) queues[i].here = copied(from.queues[i].here, at);
  for (size_t i = 0; i < plan.queues.size(); i++) {
    queues[i].elsewhere = copied(from.queues[i].elsewhere, at);
  }
  plan.shards = copied(from.shards, at);
  for (size_t i = 0; i < plan.queues.size(); i++) {
    const std::span<const char> name = copied(std::span<const char>(from.queues[i].name), at);
    queues[i].name = {name.data(), name.size()};
  }
  return plan;
}

const Plan& MatchCache::insert(uint64_t hash, AccountId account, std::string_view subject,
                               Scope scope, const Plan& plan) {
  const size_t bytes = sizeof(Block) + parts_bytes(plan, subject.size());
  if (bytes > plan_bytes_max) return plan;
  Set& set = set_of(hash);
  size_t way = way_of(set, hash, account, subject);
  for (size_t other = 0; other < ways && way == ways; other++) {
    if (set.blocks[other] == nullptr) way = other;
  }
  if (way == ways) way = set.turn++ % ways;

  Block* const block = block_for(set, way, bytes);
  block->stamp = stamp_of(scope);
  block->scope = scope;
  block->account = account;
  block->subject_bytes = static_cast<uint32_t>(subject.size());
  std::memcpy(block->parts(), subject.data(), subject.size());
  block->plan = copied(plan, block->parts() + aligned(subject.size()));
  set.tags[way] = tag_of(hash);
  set.blocks[way] = block;
  stats_.insertions++;
  return block->plan;
}

/// Memory for a plan in this place: that of the plan that was there, if it fits and is no waste.
MatchCache::Block* MatchCache::block_for(Set& set, size_t way, size_t bytes) {
  if (Block* const before = set.blocks[way]; before != nullptr) {
    if (bytes <= before->room_bytes && before->room_bytes <= bytes * 2) return before;
    evict(set, way);
  }
  const size_t room = (bytes + 63) & ~size_t{63};
  while (block_bytes_ + room > bytes_max) {
    Set& victim = sets_[sweep_ / ways];
    const size_t victim_way = sweep_ % ways;
    sweep_ = (sweep_ + 1) % entries_max;
    if (victim.blocks[victim_way] != nullptr) evict(victim, victim_way);
  }
  Block* const block = new (::operator new(room)) Block{};
  block_bytes_ += room;
  block->room_bytes = static_cast<uint32_t>(room);
  return block;
}

void MatchCache::evict(Set& set, size_t way) {
  Block* const block = set.blocks[way];
  set.blocks[way] = nullptr;
  free(block);
}

void MatchCache::free(Block* block) {
  block_bytes_ -= block->room_bytes;
  ::operator delete(block);
}

}  // namespace peal::server
