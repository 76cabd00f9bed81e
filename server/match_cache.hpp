#pragma once
// Subject to plan, for the few thousand subjects that most messages go to. It knows plans and when
// they end; how a plan is made it must never know.
//
// It is a table of fixed size that stays in L2. A subject gets in when it misses twice: where every
// subject is new, a miss costs one cache line and no allocation.
//
// A plan ends when a filter changes that could match its subject, and at changes of few others:
//   literal filter            the plan of that subject, and no other
//   a.b.* or a.b.c.>          subjects that begin with the tokens a and b
//   a.* or a.>                subjects that begin with a
//   * or > as first token     all of the account
// For the last three there are counters, chosen by hash. A plan notes the sum of its three:
// counters only grow, so an equal sum means that none has moved.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/hash.hpp"
#include "core/same_bytes.hpp"
#include "server/ids.hpp"
#include "server/plan.hpp"

namespace peal::server {

struct CacheStats {
  uint64_t hits, misses, insertions, invalidations;
};

class MatchCache {
 public:
  static constexpr size_t ways = 4;
  static constexpr size_t entries_max = 4096;
  static constexpr size_t bytes_max = 8 * 1024 * 1024;
  /// A plan of a hundred thousand members is made anew each time: that is little beside its use.
  static constexpr size_t plan_bytes_max = 1024 * 1024;

  /// Which counters stand for a subject, or for a filter.
  struct Scope {
    uint16_t account, first, second;
  };

  explicit MatchCache(const core::Hasher& hasher);
  ~MatchCache();
  MatchCache(const MatchCache&) = delete;
  MatchCache& operator=(const MatchCache&) = delete;

  /// The plan if it is here and holds, else nullptr. The hash is that of account and subject.
  const Plan* find(uint64_t hash, AccountId account, std::string_view subject) {
    const Set& set = set_of(hash);
    const size_t way = way_of(set, hash, account, subject);
    if (way == ways) [[unlikely]] {
      stats_.misses++;
      return nullptr;
    }
    const Block& block = *set.blocks[way];
    if (block.stamp != stamp_of(block.scope)) [[unlikely]] {
      miss_ended(hash);
      return nullptr;
    }
    stats_.hits++;
    return &block.plan;
  }

  /// To be asked after find() found nothing: whether insert() should follow.
  bool admits(uint64_t hash);

  /// Copies the plan. Gives back the copy, or the plan itself when that is too large.
  const Plan& insert(uint64_t hash, AccountId account, std::string_view subject, Scope scope,
                     const Plan& plan);

  /// The hashes are those of the first two tokens; 0 for a second that is not there.
  Scope scope_of(AccountId account, uint32_t first, uint32_t second) const;

  /// Ends the plans that a change of a filter ends. Their memory stays until forget_ended().
  void end_literal(uint64_t hash, AccountId account, std::string_view filter);
  void end_account(AccountId account) { by_account_[account % by_account_.size()]++; }
  void end_all() {
    for (uint64_t& plans : by_account_) plans++;
  }
  void end_first(Scope scope) { by_first_[scope.first]++; }
  void end_second(Scope scope) { by_second_[scope.second]++; }

  void forget_ended() {
    if (ended_ != nullptr) [[unlikely]]
      free_ended();
  }

  const CacheStats& stats() const { return stats_; }
  size_t bytes() const;

 private:
  /// A plan and all that it points to, in one piece: the subject's text first, for it is compared,
  /// then the plan's parts.
  struct Block {
    uint64_t stamp;
    Scope scope;
    AccountId account;
    uint32_t subject_bytes;
    uint32_t room_bytes;
    Block* next;  // Among those that ended.
    Plan plan;

    char* parts() { return reinterpret_cast<char*>(this + 1); }
    std::string_view subject() const {
      return {reinterpret_cast<const char*>(this + 1), subject_bytes};
    }
  };

  static constexpr size_t sets = entries_max / ways;
  static constexpr size_t candidates = 3;

  // One cache line: all that a miss reads.
  struct alignas(64) Set {
    std::array<uint32_t, ways> tags;
    std::array<Block*, ways> blocks;
    std::array<uint32_t, candidates> seen;  // Tags of the last misses.
    uint32_t turn;                          // Of misses seen, and of ways evicted.
  };
  static_assert(sizeof(Set) == 64);

  Set& set_of(uint64_t hash) { return sets_[(hash >> 32) % sets]; }
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash); }
  size_t way_of(const Set& set, uint64_t hash, AccountId account, std::string_view subject) const {
    for (size_t way = 0; way < ways; way++) {
      if (set.tags[way] != tag_of(hash)) continue;
      const Block* const block = set.blocks[way];
      if (block != nullptr && block->account == account &&
          core::same_bytes(block->subject(), subject)) {
        return way;
      }
    }
    return ways;
  }
  void miss_ended(uint64_t hash);
  void free_ended();
  uint64_t stamp_of(Scope scope) const {
    return by_account_[scope.account] + by_first_[scope.first] + by_second_[scope.second];
  }
  Block* block_for(Set& set, size_t way, size_t bytes);
  void evict(Set& set, size_t way);
  void free(Block* block);

  const core::Hasher& hasher_;
  std::unique_ptr<Set[]> sets_;
  std::array<uint64_t, 64> by_account_{};
  std::array<uint64_t, 1024> by_first_{};
  std::array<uint64_t, 4096> by_second_{};
  Block* ended_ = nullptr;  // To be freed: a plan may be in use that is ended meanwhile.
  size_t sweep_ = 0;        // Where eviction for want of bytes goes on.
  size_t block_bytes_ = 0;
  CacheStats stats_{};
};

}  // namespace peal::server
