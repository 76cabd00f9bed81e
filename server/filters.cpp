#include "server/filters.hpp"

#include <cassert>
#include <new>

#include "protocol/subject.hpp"

namespace peal::server {

EntryKey Filters::key_of(AccountId account, std::string_view filter, std::string_view queue) const {
  // Few filters have one of these letters, and looking for a letter is much faster than for tokens.
  const bool suspect = filter.find('*') != filter.npos || (!filter.empty() && filter.back() == '>');
  const bool literal = !suspect || !protocol::has_wildcard(filter);
  return {account, filter, queue, literal, hash_of(account, filter)};
}

EntryKey Filters::key_of(const Entry& entry) const {
  const std::string_view filter = entry.filter();
  return {entry.account, filter, entry.queue(), entry.literal(), hash_of(entry.account, filter)};
}

void Filters::prefetch(const EntryKey& key) const {
  if (key.literal) literals_.prefetch(literal_hash(key.hash));
  if (in_others(key)) others_.prefetch(other_hash(key));
}

uint32_t Filters::find(const EntryKey& key) const {
  if (in_others(key)) {
    return others_.find(other_hash(key), [&](uint32_t number) {
      const Entry& candidate = entry(number);
      return candidate.account == key.account && candidate.filter() == key.filter &&
             candidate.queue() == key.queue;
    });
  }
  const uint32_t first = literal_chain(key.account, key.filter, key.hash);
  return first != none && !entry(first).in_queue_group ? first : none;
}

uint32_t Filters::find_or_add(const EntryKey& key) {
  const uint32_t found = find(key);
  if (found != none) return found;
  const uint32_t number = pool_.allocate(Entry::block_bytes(key.filter, key.queue));
  Entry* const added = new (pool_.at(number)) Entry;
  added->account = key.account;
  added->write(key.filter, key.queue);
  if (!key.literal) added->node = trie_.make(key.account, key.filter);
  chain(number, key);
  if (in_others(key)) others_.insert(other_hash(key), number);
  return number;
}

void Filters::remove(uint32_t number, const EntryKey& key) {
  assert(!entry(number).wanted());
  unchain(number, key);
  if (in_others(key)) others_.erase(other_hash(key), number);
  const uint32_t node = entry(number).node;
  const AccountId account = key.account;  // The key may view the text of the entry.
  pool_.free(number);
  if (node != none) trie_.prune(account, node);
}

/// The plain entry goes to the front; a queue group behind the first, which need not be touched
/// then but for its link.
void Filters::chain(uint32_t number, const EntryKey& key) {
  Entry& added = entry(number);
  const uint32_t first = key.literal ? literal_chain(key.account, key.filter, key.hash)
                                     : trie_.entries(added.node, key.filter);
  if (first == none) return set_first(key, added.node, none, number);
  if (!added.in_queue_group) {
    assert(entry(first).in_queue_group);
    added.next = first;
    entry(first).group_head().prev = number;
    return set_first(key, added.node, first, number);
  }
  added.group_head().prev = first;
  added.next = entry(first).next;
  entry(first).next = number;
  if (added.next != none) entry(added.next).group_head().prev = number;
}

void Filters::unchain(uint32_t number, const EntryKey& key) {
  Entry& gone = entry(number);
  const uint32_t prev = gone.in_queue_group ? gone.group_head().prev : none;
  if (gone.next != none) entry(gone.next).group_head().prev = prev;
  if (prev != none) {
    entry(prev).next = gone.next;
  } else {
    set_first(key, gone.node, number, gone.next);
  }
}

void Filters::set_first(const EntryKey& key, uint32_t node, uint32_t before, uint32_t after) {
  if (!key.literal) {
    trie_.entries(node, key.filter) = after;
  } else if (before == none) {
    literals_.insert(literal_hash(key.hash), after);
  } else if (after == none) {
    literals_.erase(literal_hash(key.hash), before);
  } else {
    literals_.replace(literal_hash(key.hash), before, after);
  }
}

}  // namespace peal::server
