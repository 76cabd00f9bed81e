#include "core/mailbox.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "tests/core/seed.hpp"

namespace peal::core {
namespace {

constexpr size_t header_bytes = 4;
size_t framed(size_t record_bytes) { return (header_bytes + record_bytes + 3) / 4 * 4; }

std::string text_of(Random& random, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& letter : text) letter = static_cast<char>(random.next());
  return text;
}

void fill(char* at, const std::string& text) { std::memcpy(at, text.data(), text.size()); }

std::string pop(Mailbox& mailbox, uint64_t head) {
  const std::span<const char> record = mailbox.peek(head);
  std::string text(record.data(), record.size());
  mailbox.pop(record);
  return text;
}

/// One record through an empty mailbox, and its room back.
void pass(Mailbox& mailbox, size_t record_bytes) {
  REQUIRE(mailbox.has_room(record_bytes));
  std::memset(mailbox.append(record_bytes), 'p', record_bytes);
  mailbox.publish();
  REQUIRE(pop(mailbox, mailbox.head()) == std::string(record_bytes, 'p'));
  mailbox.release();
}

/// An empty mailbox whose ends stand `offset` bytes behind the beginning of its memory. A record
/// has at least one byte, so no offset below 8 but 0 ever comes about.
void move_to(Mailbox& mailbox, size_t offset) {
  if (offset == 0) return;
  for (; offset >= 16; offset -= 8) pass(mailbox, 4);
  pass(mailbox, offset - header_bytes);
}

/// Which bytes of a mailbox are taken, one by one: slow, and too plain to be wrong.
class ByteMap {
 public:
  explicit ByteMap(size_t capacity) : taken_(capacity, false) {}

  bool fits_here(size_t bytes) const { return free_from(at_, bytes); }
  bool fits_behind_last(size_t bytes) const {
    return bytes == 0 || (at_ != 0 && free_from(at_, bytes));
  }
  bool fits(size_t record_bytes) const {
    const size_t bytes = framed(record_bytes);
    return fits_here(bytes) ||
           (bytes <= at_ && free_from(at_, taken_.size() - at_) && free_from(0, bytes));
  }
  void append(size_t record_bytes) {
    const size_t bytes = framed(record_bytes);
    size_t skipped = 0;
    if (at_ + bytes > taken_.size()) skipped = mark(taken_.size() - at_);
    frames_.push_back({skipped, mark(bytes)});
  }
  void extend(size_t record_bytes, size_t more_bytes) {
    frames_.back().bytes += mark(framed(record_bytes + more_bytes) - framed(record_bytes));
  }
  void release_first() {
    unmark(frames_.front().skipped);
    unmark(frames_.front().bytes);
    frames_.pop_front();
  }

 private:
  struct Frame {
    size_t skipped;
    size_t bytes;
  };

  bool free_from(size_t from, size_t bytes) const {
    if (from + bytes > taken_.size()) return false;
    return std::none_of(taken_.begin() + static_cast<ptrdiff_t>(from),
                        taken_.begin() + static_cast<ptrdiff_t>(from + bytes),
                        [](bool taken) { return taken; });
  }
  size_t mark(size_t bytes) {
    for (size_t i = 0; i < bytes; i++, at_ = (at_ + 1) % taken_.size()) {
      REQUIRE(!taken_[at_]);
      taken_[at_] = true;
    }
    return bytes;
  }
  void unmark(size_t bytes) {
    for (; bytes > 0; bytes--, tail_ = (tail_ + 1) % taken_.size()) taken_[tail_] = false;
  }

  std::vector<bool> taken_;
  std::deque<Frame> frames_;
  size_t at_ = 0;
  size_t tail_ = 0;
};

/// A mailbox beside what it should hold.
struct Model {
  explicit Model(size_t capacity) : mailbox(capacity), map(mailbox.capacity_bytes()) {}

  Mailbox mailbox;
  ByteMap map;
  std::deque<std::string> unpublished;
  std::deque<std::string> published;
  size_t unreleased = 0;

  void appended(char* at, std::string text) {
    map.append(text.size());
    fill(at, text);
    unpublished.push_back(std::move(text));
  }
  void append(std::string text) {
    const bool fits = map.fits(text.size());
    REQUIRE(mailbox.has_room(text.size()) == fits);
    if (!fits) return;
    char* const at = mailbox.append(text.size());
    appended(at, std::move(text));
  }
  // Refuses where has_room() would have to look at the other side or to pad; never otherwise.
  void try_append(std::string text, bool look_first) {
    const bool fits_here = map.fits_here(framed(text.size()));
    const bool looked = look_first && mailbox.has_room(text.size());
    char* const at = mailbox.try_append(text.size());
    if (!fits_here) REQUIRE(at == nullptr);
    if (fits_here && looked) REQUIRE(at != nullptr);
    if (at != nullptr) appended(at, std::move(text));
  }
  void try_extend(const std::string& more, bool look_first) {
    const bool may = !unpublished.empty();
    bool fits = false;
    size_t before = 0;
    if (may) {
      before = unpublished.back().size();
      fits = map.fits_behind_last(framed(before + more.size()) - framed(before));
    }
    const bool looked = look_first && mailbox.has_room(more.size() + 2 * header_bytes);
    char* const at = mailbox.try_extend(more.size());
    if (!fits) REQUIRE(at == nullptr);
    if (fits && looked) REQUIRE(at != nullptr);
    if (at == nullptr) return;
    map.extend(before, more.size());
    fill(at, more);
    unpublished.back() += more;
  }
  void publish() {
    mailbox.publish();
    published.insert(published.end(), unpublished.begin(), unpublished.end());
    unpublished.clear();
    REQUIRE(mailbox.unpublished_bytes() == 0);
  }
  void consume(size_t records) {
    const uint64_t head = mailbox.head();
    for (; records > 0 && !published.empty(); records--) {
      REQUIRE(pop(mailbox, head) == published.front());
      published.pop_front();
      unreleased++;
    }
    if (published.empty()) {
      REQUIRE(mailbox.peek(head).empty());
      REQUIRE(mailbox.consumed_position() == head);
    }
  }
  void release() {
    REQUIRE(!mailbox.release());  // Nobody waits.
    for (; unreleased > 0; unreleased--) map.release_first();
    REQUIRE(mailbox.unreleased_bytes() == 0);
  }
};

// Goal: what comes out is what went in, in order, and room is promised when and only when it is
// there. Method: random acts of both ends on small mailboxes, which wrap every few records, beside
// a deque of strings and a map of bytes.
TEST_CASE("mailbox: gives back what was put in, and knows exactly what fits") {
  Random random(test::seed_of_run());
  for (const size_t capacity : {64u, 128u, 1024u, 4096u}) {
    CAPTURE(capacity);
    Model model(capacity);
    for (int step = 0; step < 20000; step++) {
      const auto largest = static_cast<uint32_t>(random.below(4) == 0 ? capacity : capacity / 8);
      std::string text = text_of(random, 1 + random.below(largest));
      switch (random.below(8)) {
        case 0:
        case 1:
          model.append(std::move(text));
          break;
        case 2:
          model.try_append(std::move(text), random.below(2) == 0);
          break;
        case 3:
          model.try_extend(text, random.below(2) == 0);
          break;
        case 4:
          model.publish();
          break;
        case 5:
        case 6:
          model.consume(random.below(5));
          break;
        default:
          model.release();
      }
    }
    model.publish();
    model.consume(SIZE_MAX);
    model.release();
    CHECK(model.mailbox.drained());
    CHECK(model.mailbox.head() > 20 * capacity);  // It has gone round.
  }
}

TEST_CASE("mailbox: the largest record fits an empty mailbox wherever its ends stand") {
  for (const size_t capacity : {64u, 256u}) {
    bool larger_always_fits = true;
    for (size_t offset = 0; offset < capacity; offset += 4) {
      if (offset == 4) continue;
      CAPTURE(offset);
      Mailbox mailbox(capacity);
      move_to(mailbox, offset);
      REQUIRE(mailbox.head() == offset);
      const size_t largest = mailbox.record_bytes_max();
      if (!mailbox.has_room(largest + 1)) larger_always_fits = false;
      REQUIRE(mailbox.has_room(largest));
      std::memset(mailbox.append(largest), 'x', largest);
      mailbox.publish();
      CHECK(pop(mailbox, mailbox.head()) == std::string(largest, 'x'));
      CHECK(mailbox.peek(mailbox.head()).empty());
    }
    CHECK(!larger_always_fits);
  }
}

TEST_CASE("mailbox: every size that fits at an offset crosses whole, and the room comes back") {
  constexpr size_t capacity = 64;
  for (size_t offset = 0; offset < capacity; offset += 4) {
    if (offset == 4) continue;
    for (size_t bytes = 1; bytes <= capacity; bytes++) {
      CAPTURE(offset);
      CAPTURE(bytes);
      Mailbox mailbox(capacity);
      move_to(mailbox, offset);
      const bool fits = framed(bytes) <= capacity - offset || framed(bytes) <= offset;
      REQUIRE(mailbox.has_room(bytes) == fits);
      if (!fits) continue;
      std::memset(mailbox.append(bytes), 'x', bytes);
      mailbox.publish();
      CHECK(pop(mailbox, mailbox.head()) == std::string(bytes, 'x'));
      mailbox.release();
      CHECK(mailbox.drained());
      CHECK(mailbox.has_room(mailbox.record_bytes_max()));
    }
  }
}

TEST_CASE("mailbox: capacity is rounded up to a power of two") {
  CHECK(Mailbox(64).capacity_bytes() == 64);
  CHECK(Mailbox(65).capacity_bytes() == 128);
}

TEST_CASE("mailbox: nothing is seen before it is published") {
  Mailbox mailbox(256);
  fill(mailbox.append(3), "abc");
  CHECK(mailbox.head() == 0);
  CHECK(mailbox.peek(mailbox.head()).empty());
  CHECK(mailbox.unpublished_bytes() == 8);
  mailbox.publish();
  const uint64_t head = mailbox.head();
  fill(mailbox.append(3), "def");
  CHECK(pop(mailbox, head) == "abc");
  CHECK(mailbox.peek(mailbox.head()).empty());
  mailbox.publish();
  CHECK(mailbox.peek(head).empty());  // A head that was taken earlier still ends there.
  CHECK(pop(mailbox, mailbox.head()) == "def");
}

TEST_CASE("mailbox: records lie on their boundary, also behind odd sizes") {
  Mailbox mailbox(1024);
  for (size_t bytes = 1; bytes < 20; bytes++) {
    const auto at = reinterpret_cast<uintptr_t>(mailbox.append(bytes));
    CHECK(at % Mailbox::record_align_bytes == 0);
  }
}

TEST_CASE("mailbox: the last record is lengthened in place until it is published") {
  Mailbox mailbox(256);
  char* const first = mailbox.append(3);
  fill(first, "abc");
  char* const more = mailbox.try_extend(6);
  REQUIRE(more == first + 3);
  fill(more, "defghi");
  char* const most = mailbox.try_extend(1);
  REQUIRE(most == first + 9);
  fill(most, "j");
  mailbox.publish();
  CHECK(mailbox.try_extend(1) == nullptr);
  CHECK(mailbox.unpublished_bytes() == 0);
  CHECK(pop(mailbox, mailbox.head()) == "abcdefghij");
  CHECK(mailbox.try_extend(1) == nullptr);
  CHECK(mailbox.peek(mailbox.head()).empty());
}

TEST_CASE("mailbox: nothing is lengthened before there is a record") {
  Mailbox mailbox(256);
  CHECK(mailbox.try_extend(4) == nullptr);
  CHECK(mailbox.unpublished_bytes() == 0);
}

TEST_CASE("mailbox: only the last of several unpublished records is lengthened") {
  Mailbox mailbox(256);
  fill(mailbox.append(1), "a");
  fill(mailbox.append(1), "b");
  fill(mailbox.try_extend(2), "cd");
  mailbox.publish();
  CHECK(pop(mailbox, mailbox.head()) == "a");
  CHECK(pop(mailbox, mailbox.head()) == "bcd");
}

TEST_CASE("mailbox: a record is not lengthened past the end, nor into what was not read") {
  Mailbox mailbox(64);
  mailbox.append(40);
  CHECK(mailbox.try_extend(21) == nullptr);
  CHECK(mailbox.try_extend(20) != nullptr);  // To the last byte.
  CHECK(mailbox.try_extend(1) == nullptr);
  mailbox.publish();
  pop(mailbox, mailbox.head());
  mailbox.release();

  pass(mailbox, 12);
  REQUIRE(mailbox.has_room(44));
  mailbox.append(44);  // To the end.
  mailbox.publish();
  REQUIRE(mailbox.has_room(8));
  mailbox.append(8);  // At the front, before what was not read.
  CHECK(mailbox.try_extend(5) == nullptr);
  CHECK(mailbox.try_extend(4) != nullptr);
}

TEST_CASE("mailbox: what is tried neither pads nor looks at the other side") {
  Mailbox mailbox(64);
  move_to(mailbox, 48);
  CHECK(mailbox.try_append(16) == nullptr);  // It would have to begin at the front.
  CHECK(mailbox.unpublished_bytes() == 0);
  CHECK(mailbox.has_room(16));
  CHECK(mailbox.try_append(12) != nullptr);
  mailbox.publish();

  Mailbox full(64);
  full.append(60);
  full.publish();
  pop(full, full.head());
  full.release();
  CHECK(full.try_append(8) == nullptr);  // The room has not been looked for.
  CHECK(full.has_room(8));
  CHECK(full.try_append(8) != nullptr);
}

TEST_CASE("mailbox: padding is passed over, and its room comes back with the record behind it") {
  Mailbox mailbox(64);
  move_to(mailbox, 48);
  REQUIRE(mailbox.has_room(20));
  mailbox.append(20);  // 16 bytes of padding, then the record at the front.
  CHECK(mailbox.unpublished_bytes() == 16 + 24);
  mailbox.publish();
  CHECK(mailbox.peek(mailbox.head()).size() == 20);
  CHECK(mailbox.unreleased_bytes() == 16);
  mailbox.pop(mailbox.peek(mailbox.head()));
  CHECK(mailbox.unreleased_bytes() == 16 + 24);
  mailbox.release();
  CHECK(mailbox.drained());
}

TEST_CASE("mailbox: room comes back with release, not with pop") {
  Mailbox mailbox(64);
  mailbox.append(60);
  mailbox.publish();
  pop(mailbox, mailbox.head());
  CHECK(!mailbox.has_room(1));
  mailbox.release();
  CHECK(mailbox.has_room(60));
}

TEST_CASE("mailbox: without credit there is no room, however much is free") {
  Mailbox mailbox(1024);
  const auto append = [&](uint64_t credit) {
    REQUIRE(mailbox.has_room(4));
    fill(mailbox.append(4), "text");
    mailbox.spend(credit);
    mailbox.publish();
  };
  mailbox.grant(5, 3);
  append(2);
  CHECK(mailbox.credit(UINT32_MAX) == 3);
  CHECK(mailbox.price() == 3);
  append(2);
  CHECK(mailbox.credit(1) == 1);
  append(3);  // More than is left: what is granted next pays for it.
  CHECK(mailbox.credit(1) == 0);
  mailbox.want_room();
  CHECK(!mailbox.has_room(4));
  pop(mailbox, mailbox.head());
  mailbox.grant(7, 3);
  CHECK(mailbox.release());
  CHECK(!mailbox.has_room(4));
  mailbox.grant(8, 3);
  CHECK(mailbox.has_room(4));
  CHECK(mailbox.credit(1) == 1);
}

TEST_CASE("mailbox: a producer that waits is to be woken once, by the release that makes room") {
  Mailbox mailbox(64);
  mailbox.append(60);
  mailbox.publish();
  CHECK(!mailbox.release());  // Nothing was taken, and nobody waits.
  mailbox.want_room();
  CHECK(!mailbox.has_room(1));
  CHECK(!mailbox.release());  // Nothing was taken.
  pop(mailbox, mailbox.head());
  CHECK(mailbox.release());
  CHECK(mailbox.has_room(1));
  CHECK(!mailbox.release());

  pass(mailbox, 4);
  mailbox.append(4);
  mailbox.publish();
  pop(mailbox, mailbox.head());
  CHECK(!mailbox.release());  // It has been woken, and does not wait any more.
}

}  // namespace
}  // namespace peal::core
