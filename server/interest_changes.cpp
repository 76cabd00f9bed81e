#include "server/interest_changes.hpp"

#include <cassert>
#include <new>

namespace peal::server {

void InterestChanges::note(uint32_t changed) {
  assert(targets_ > 0);
  const uint32_t last = entry(changed).change;
  if (last != none && record(last).heard == 0) return;  // Whoever comes to it sees this state.
  const uint32_t number = pool_.allocate(sizeof(Record));
  new (pool_.at(number)) Record{++epoch_, changed, none, newest_, last, 0};
  if (newest_ != none) {
    record(newest_).next = number;
  } else {
    oldest_ = number;
  }
  newest_ = number;
  entry(changed).change = number;
  records_++;
  if (last != none) drop_needless(number);
}

bool InterestChanges::next(ShardId target, Next& found) const {
  const uint32_t number = next_of(target);
  if (number == none) return false;
  found = {record(number).entry, record(number).epoch};
  return true;
}

uint32_t InterestChanges::taken(ShardId target) {
  const uint32_t number = next_of(target);
  assert(number != none);
  taken_[target] = number;
  Record& passed = record(number);
  if (++passed.heard < targets_) return none;

  // Everybody is past it, so everybody is past all that were before it: they are gone.
  assert(number == oldest_ && passed.older == none);
  Entry& told = entry(passed.entry);
  const uint32_t told_number = passed.entry;
  if (told.change == number) {
    told.change = none;
  } else {
    uint32_t newer = told.change;
    while (record(newer).older != number) newer = record(newer).older;
    record(newer).older = none;
  }
  unlink(number);
  return told.change == none ? told_number : none;
}

/// Of two records of one entry with nobody between them, the later one is needless: whoever has
/// still to pass it has also to pass the earlier one. The newest is kept, for somebody has passed
/// all others.
void InterestChanges::drop_needless(uint32_t newest) {
  uint32_t newer = newest;
  for (uint32_t at = record(newer).older; at != none && record(at).older != none;) {
    const uint32_t older = record(at).older;
    assert(record(older).heard >= record(at).heard);
    if (record(older).heard == record(at).heard) {
      record(newer).older = older;
      unlink(at);
    } else {
      newer = at;
    }
    at = older;
  }
}

void InterestChanges::unlink(uint32_t number) {
  const Record& gone = record(number);
  if (gone.heard > 0) {
    for (uint32_t& taken : taken_) {
      if (taken == number) taken = gone.prev;
    }
  }
  if (gone.prev != none) {
    record(gone.prev).next = gone.next;
  } else {
    oldest_ = gone.next;
  }
  if (gone.next != none) {
    record(gone.next).prev = gone.prev;
  } else {
    newest_ = gone.prev;
  }
  pool_.free(number);
  records_--;
}

}  // namespace peal::server
