#pragma once
// All filters that anybody wants of this shard, here or elsewhere, and who finds them: literal ones
// by an index of whole subjects, which is the trie's path compressed to one edge; those with
// wildcards through the trie. It knows text and chains of entries; members are none of its
// business.

#include <cstdint>
#include <string_view>

#include "core/block_pool.hpp"
#include "core/hash.hpp"
#include "core/hash_index.hpp"
#include "core/same_bytes.hpp"
#include "server/interest_entry.hpp"
#include "server/subject_trie.hpp"

namespace peal::server {

/// What names an entry, and all that was found out about it by reading it once.
struct EntryKey {
  AccountId account;
  std::string_view filter;
  std::string_view queue;  // Empty: the plain subscriptions.
  bool literal;
  uint64_t hash;  // Of account and filter, as Filters::hash_of() gives.
};

class Filters {
 public:
  static constexpr uint32_t none = core::BlockPool::none;

  Filters(core::BlockPool& pool, const core::Hasher& hasher)
      : pool_(pool), hasher_(hasher), trie_(pool, hasher) {}

  uint64_t hash_of(AccountId account, std::string_view text) const {
    return hasher_(text, account);
  }
  EntryKey key_of(AccountId account, std::string_view filter, std::string_view queue) const;
  EntryKey key_of(const Entry& entry) const;

  /// Brings what find() will need closer.
  void prefetch(const EntryKey& key) const;
  void prefetch_literal(uint64_t hash) const { literals_.prefetch(literal_hash(hash)); }

  uint32_t find(const EntryKey& key) const;
  uint32_t find_or_add(const EntryKey& key);

  /// REQUIRES that nobody wants it.
  void remove(uint32_t entry, const EntryKey& key);

  /// The chain of the filter that is this subject, letter by letter; none.
  uint32_t literal_chain(AccountId account, std::string_view subject, uint64_t hash) const {
    return literals_.find(literal_hash(hash), [&](uint32_t number) {
      const Entry& candidate = entry(number);
      return candidate.account == account && core::same_bytes(candidate.filter(), subject);
    });
  }

  bool has_literals() const { return literals_.size() > 0; }

  SubjectTrie& trie() { return trie_; }

  /// What an entry takes, and finding it, where no other is like it.
  static size_t bytes_about(const Entry& entry) {
    return sizeof(Entry) + entry.text_bytes + core::HashIndex::pair_bytes_about +
           (entry.literal() ? 0 : SubjectTrie::path_bytes(entry.filter()));
  }

  size_t bytes() const { return literals_.bytes() + others_.bytes() + trie_.bytes(); }

 private:
  Entry& entry(uint32_t number) const { return pool_.get<Entry>(number); }
  static uint32_t literal_hash(uint64_t hash) { return static_cast<uint32_t>(hash); }
  uint32_t other_hash(const EntryKey& key) const {
    return static_cast<uint32_t>(hasher_(key.queue, key.hash));
  }
  // The plain entry of a literal filter is the first of its chain, so it needs no other index.
  static bool in_others(const EntryKey& key) { return !key.literal || !key.queue.empty(); }

  void chain(uint32_t number, const EntryKey& key);
  void unchain(uint32_t number, const EntryKey& key);
  void set_first(const EntryKey& key, uint32_t node, uint32_t before, uint32_t after);

  core::BlockPool& pool_;
  const core::Hasher& hasher_;
  core::HashIndex literals_;  // Chains of literal filters.
  core::HashIndex others_;    // Every entry that is not the plain one of a literal filter.
  SubjectTrie trie_;
};

}  // namespace peal::server
