#pragma once
// What other shards must hear of, in order: records of entries that changed, oldest first, and for
// each target shard the place that it has come to. A record tells the entry's state when it is
// given, not when it was made, so a million changes of one entry are one record for whoever has not
// heard.
//
//   oldest_                                             newest_
//   [ foo e3 ]<->[ bar e7 ]<->[ foo e9 ]<->[ baz e12 ]
//                    ^                          ^
//                 target 1 took this        target 2 took all
//
// The tempting rule is to move an entry's one record to the end when it changes again. That breaks
// the fence: a connection that waits until everybody has heard up to e3 would be let go when the
// record of e3 has moved behind it, unheard. So a record stays. An entry gets another one only
// if somebody has passed its last, and one that no target can be the first to need goes: at most as
// many as there are targets, and with one target, one.
//
// A record goes when all targets have passed it; nothing is held for what everybody knows.

#include <cstdint>
#include <vector>

#include "core/block_pool.hpp"
#include "server/ids.hpp"
#include "server/interest_entry.hpp"

namespace peal::server {

class InterestChanges {
 public:
  static constexpr uint32_t none = core::BlockPool::none;

  /// Of so many shards all are told but one.
  InterestChanges(core::BlockPool& pool, ShardId shards)
      : pool_(pool), targets_(shards - 1u), taken_(shards, none) {}

  /// The entry's state has changed.
  void note(uint32_t entry);

  /// The number of the last record ever made. Who has heard up to it has heard all.
  uint64_t epoch() const { return epoch_; }

  struct Next {
    uint32_t entry;
    uint64_t epoch;
  };
  bool next(ShardId target, Next& found) const;

  /// The target was given what next() found. Returns the entry if no record of it is left, else
  /// none.
  uint32_t taken(ShardId target);

  size_t records() const { return records_; }
  size_t bytes() const { return taken_.capacity() * sizeof(uint32_t); }

 private:
  struct Record {
    uint64_t epoch;
    uint32_t entry;
    uint32_t next, prev;
    uint32_t older;  // The last record before this one of the same entry.
    uint32_t heard;  // By so many targets.
  };

  Record& record(uint32_t number) const { return pool_.get<Record>(number); }
  Entry& entry(uint32_t number) const { return pool_.get<Entry>(number); }
  uint32_t next_of(ShardId target) const {
    return taken_[target] == none ? oldest_ : record(taken_[target]).next;
  }
  void drop_needless(uint32_t newest);
  void unlink(uint32_t number);

  core::BlockPool& pool_;
  const uint32_t targets_;
  std::vector<uint32_t> taken_;  // By shard, the last record that it took; none if that is gone.
  uint32_t oldest_ = none;
  uint32_t newest_ = none;
  uint64_t epoch_ = 0;
  size_t records_ = 0;
};

}  // namespace peal::server
