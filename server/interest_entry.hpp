#pragma once
// One filter, and one queue group on it or the plain subscriptions to it: who wants it here, and
// which other shards do. Entries of one filter are chained, the plain one first. It knows numbers;
// it must never know what they stand for.

#include <cassert>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/block_pool.hpp"
#include "core/word_list.hpp"
#include "server/ids.hpp"

namespace peal::server {

/// "Shard k has so many members", in one word: there is one for each filter that another shard
/// wants. Counts stop at four million members of one group on one shard; past that chances are no
/// longer in proportion, and nothing else is wrong.
struct Elsewhere {
  static constexpr uint32_t members_bits = 22;
  static constexpr uint32_t members_max = (1u << members_bits) - 1;
  static_assert(shards_max == 1u << (32 - members_bits));

  static uint32_t word(ShardId shard, uint32_t members) {
    assert(members > 0 && shard < shards_max);
    return uint32_t{shard} << members_bits | (members < members_max ? members : members_max);
  }
  static ShardId shard(uint32_t word) { return static_cast<ShardId>(word >> members_bits); }
  static uint32_t members(uint32_t word) { return word & members_max; }
};

/// Lies at the head of a block; the text follows it at once. A literal filter of 24 bytes makes 60.
struct Entry {
  static constexpr uint32_t none = core::BlockPool::none;

  uint32_t next = none;      // Of the same filter.
  uint32_t node = none;      // Where a filter with wildcards ends in the trie; none for a literal.
  uint32_t change = none;    // The last record of it in the list of changes.
  core::WordList members;    // Subscriptions of this shard, by id.
  core::WordList elsewhere;  // Words as above.
  uint32_t text_bytes = 0;
  AccountId account = global_account;
  bool in_queue_group = false;

  bool literal() const { return node == none; }
  bool wanted() const { return !members.empty() || !elsewhere.empty() || change != none; }

  /// Only queue groups have these: a filter has at most one other entry, and that stands first.
  struct GroupHead {
    uint32_t prev;  // Of the same filter.
    uint32_t filter_bytes;
  };
  GroupHead& group_head() {
    assert(in_queue_group);
    return *reinterpret_cast<GroupHead*>(text());
  }

  std::string_view filter() const {
    if (!in_queue_group) return {text(), text_bytes};
    return {text() + sizeof(GroupHead), head().filter_bytes};
  }
  std::string_view queue() const {
    if (!in_queue_group) return {};
    const size_t at = sizeof(GroupHead) + head().filter_bytes;
    return {text() + at, text_bytes - at};
  }

  static size_t block_bytes(std::string_view filter, std::string_view queue) {
    return sizeof(Entry) + filter.size() + (queue.empty() ? 0 : sizeof(GroupHead) + queue.size());
  }

  /// Writes the text behind the entry, which lies in a block of block_bytes().
  void write(std::string_view filter, std::string_view queue) {
    in_queue_group = !queue.empty();
    char* to = text();
    if (in_queue_group) {
      const GroupHead head{none, static_cast<uint32_t>(filter.size())};
      std::memcpy(to, &head, sizeof head);
      to += sizeof head;
    }
    std::memcpy(to, filter.data(), filter.size());
    to += filter.size();
    if (in_queue_group) std::memcpy(to, queue.data(), queue.size());
    text_bytes = static_cast<uint32_t>(block_bytes(filter, queue) - sizeof(Entry));
  }

 private:
  char* text() { return reinterpret_cast<char*>(this + 1); }
  const char* text() const { return reinterpret_cast<const char*>(this + 1); }
  const GroupHead& head() const { return *reinterpret_cast<const GroupHead*>(text()); }
};

static_assert(sizeof(Entry) == 36 && alignof(Entry) == 4, "there may be millions");

}  // namespace peal::server
