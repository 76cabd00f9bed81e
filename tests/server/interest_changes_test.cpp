#include "server/interest_changes.hpp"

#include <doctest/doctest.h>

#include <new>
#include <string>
#include <vector>

namespace peal::server {
namespace {

/// Shard 0 tells the others, of which there are two unless said; entries are named by one letter.
struct Teller {
  core::BlockPool pool;
  InterestChanges changes;
  std::vector<uint32_t> entries;

  explicit Teller(ShardId shards = 3) : changes(pool, shards) {
    for (const char* name : {"a", "b", "c"}) {
      const uint32_t number = pool.allocate(Entry::block_bytes(name, {}));
      (new (pool.at(number)) Entry)->write(name, {});
      entries.push_back(number);
    }
  }
  void note(char name) { changes.note(entries[static_cast<size_t>(name - 'a')]); }

  /// What a target hears if it hears so many.
  std::string hear(ShardId target, int records = 1000) {
    std::string heard;
    InterestChanges::Next next;
    for (; records > 0 && changes.next(target, next); records--) {
      heard += pool.get<Entry>(next.entry).filter();
      changes.taken(target);
    }
    return heard;
  }
};

TEST_CASE("interest changes: each target hears of each entry once, oldest change first") {
  Teller teller;
  teller.note('b');
  teller.note('a');
  teller.note('b');
  teller.note('c');
  CHECK(teller.hear(1) == "bac");
  CHECK(teller.hear(2, 1) == "b");
  CHECK(teller.hear(2) == "ac");
  CHECK(teller.hear(1).empty());
  CHECK(teller.changes.records() == 0);
}

TEST_CASE("interest changes: a change that joins one nobody has heard makes no epoch") {
  Teller teller;
  teller.note('a');
  const uint64_t epoch = teller.changes.epoch();
  teller.note('a');
  CHECK(teller.changes.epoch() == epoch);
  teller.note('b');
  CHECK(teller.changes.epoch() == epoch + 1);
}

// The bug this keeps out: an entry that moves to the end of the list when it changes again takes
// with it a change that somebody waits for, and the fence lets go too early.
TEST_CASE(
    "interest changes: an entry that changes again is heard no later by who has not heard it") {
  Teller teller;
  teller.note('a');
  teller.note('b');
  CHECK(teller.hear(1) == "ab");
  teller.note('a');  // Target 1 must hear it again, target 2 must still hear it before b.
  CHECK(teller.hear(2, 1) == "a");
  CHECK(teller.hear(2) == "ba");
  CHECK(teller.hear(1) == "a");
  CHECK(teller.changes.records() == 0);
}

TEST_CASE("interest changes: while one target sleeps, an entry that never rests has two records") {
  Teller teller;
  teller.note('a');
  for (int i = 0; i < 1000; i++) {
    CHECK(teller.hear(1) == "a");
    teller.note('a');
    REQUIRE(teller.changes.records() <= 2);
  }
  CHECK(teller.hear(2) == "aa");
  CHECK(teller.hear(1) == "a");
  CHECK(teller.changes.records() == 0);
  CHECK(teller.pool.get<Entry>(teller.entries[0]).change == InterestChanges::none);
}

TEST_CASE("interest changes: a record that some target needs and others do not is kept for it") {
  Teller teller(4);
  teller.note('a');
  teller.note('b');
  CHECK(teller.hear(1) == "ab");
  CHECK(teller.hear(2) == "ab");
  teller.note('a');
  CHECK(teller.hear(1) == "a");
  teller.note('a');  // Target 3 needs the first, target 2 the second, target 1 the third.
  CHECK(teller.changes.records() == 4);
  CHECK(teller.hear(2, 1) == "a");
  CHECK(teller.hear(1) == "a");
  teller.note('a');  // Now nobody stands between the second and the first that he needs.
  CHECK(teller.hear(2) == "aa");
  CHECK(teller.hear(3, 2) == "ab");
  CHECK(teller.hear(1) == "a");
  CHECK(teller.hear(3).find_first_not_of('a') == std::string::npos);
  CHECK(teller.changes.records() == 0);
}

TEST_CASE("interest changes: records stay few however many targets lag behind") {
  Teller teller(8);
  teller.note('a');
  for (int i = 0; i < 1000; i++) {
    for (ShardId target = 1; target < 8; target++) {
      if (i % (1 << target) == 0) teller.hear(target, 1);
    }
    teller.note('a');
    REQUIRE(teller.changes.records() <= 8);
  }
}

TEST_CASE("interest changes: a record between two targets' places is kept for who needs it") {
  Teller teller;
  teller.note('a');
  teller.note('b');
  CHECK(teller.hear(1) == "ab");
  CHECK(teller.hear(2, 1) == "a");  // Between the two: target 2 has heard a, but not b.
  teller.note('a');
  teller.note('c');
  CHECK(teller.hear(1, 1) == "a");
  teller.note('a');
  CHECK(teller.hear(2) == "baca");
  CHECK(teller.hear(1) == "ca");
  CHECK(teller.changes.records() == 0);
}

}  // namespace
}  // namespace peal::server
