#pragma once
// One producer, one consumer, a bounded ring of bytes between them. Records lie in it as they were
// written, so a message crosses from core to core as one copy in and none out. It knows lengths;
// what a record means is between the two ends.
//
// The producer writes record after record and publishes them together, so that the shared cache
// line changes hands once for many messages. Nothing here blocks, grows or drops: a record that
// does not fit is refused before a byte of it is written.
//
//        tail_ (consumer)        head_ (published)       written_ (producer's own)
//          v                       v                       v
//   ......[ record | record | ... ][ record | record ... ]........
//          what the consumer sees    not yet published
//
// A record never wraps: when it does not fit before the end, a padding record fills the rest.
//
// Bytes say little about the work that records are. So the consumer may also give credit, in a unit
// that the two ends agree on: without any left there is no room, however much is free.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "core/memory.hpp"

namespace peal::core {

inline constexpr size_t cache_line_bytes = 64;

class Mailbox {
 public:
  /// Every record begins on this boundary, and is followed by so much readable memory.
  static constexpr size_t record_align_bytes = 4;
  static constexpr size_t slack_bytes = 64;

  explicit Mailbox(size_t capacity_bytes)
      : capacity_(std::bit_ceil(capacity_bytes)),
        bytes_(static_cast<char*>(
            std::aligned_alloc(cache_line_bytes, capacity_ + ((slack_bytes + 63) & ~size_t{63})))) {
    if (bytes_ == nullptr) end_out_of_memory();
  }
  ~Mailbox() { std::free(bytes_); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  size_t capacity_bytes() const { return capacity_; }

  /// The largest record that is sure to fit an empty mailbox, wherever its ends stand.
  size_t record_bytes_max() const { return capacity_ / 2 - header_bytes; }

  // ---- The producer's side.

  /// Whether a record of so many bytes can be written now.
  bool has_room(size_t record_bytes) {
    const size_t need = framed(record_bytes);
    if (need <= room(tail_seen_) && spent_ < credit_seen_) return true;
    tail_seen_ = tail_.load(std::memory_order_seq_cst);
    look_for_credit();
    return need <= room(tail_seen_) && spent_ < credit_seen_;
  }

  /// What is left of the credit. Looks at the consumer's line only when that is less than `wanted`.
  uint64_t credit(uint64_t wanted) {
    if (spent_ + wanted > credit_seen_) look_for_credit();
    return credit_seen_ - std::min(spent_, credit_seen_);
  }
  /// What the consumer said, when the credit was last looked for, that one of it is worth.
  uint32_t price() const { return price_seen_; }
  /// Records may cost more than is left: that is taken from what will be granted.
  void spend(uint64_t credit) { spent_ += credit; }

  /// The largest record that can be written next without a look at the consumer's line; 0 when none
  /// is known to fit.
  size_t known_room_bytes() const {
    const auto free = capacity_ - static_cast<size_t>(written_ - tail_seen_);
    return record_bytes_in(std::min(free, capacity_ - (written_ & (capacity_ - 1))));
  }

  /// By how much the last record can be lengthened; 0 when it has been published.
  size_t extension_bytes_max() const {
    if (written_ == published_) return 0;
    const auto free = capacity_ - static_cast<size_t>(last_ - tail_seen_);
    return record_bytes_in(std::min(free, capacity_ - (last_ & (capacity_ - 1)))) - last_bytes_;
  }

  /// Room for a record, to be written at once; nullptr when it is not known to fit.
  char* try_append(size_t record_bytes) {
    const size_t at = written_ & (capacity_ - 1);
    const size_t need = framed(record_bytes);
    if (need > capacity_ - at || need > capacity_ - (written_ - tail_seen_)) return nullptr;
    return begin_record(at, record_bytes);
  }

  /// Lengthens the last record: room for `more_bytes` behind what it has. nullptr when it has been
  /// published, or when there is no room behind it.
  char* try_extend(size_t more_bytes) {
    if (more_bytes > extension_bytes_max()) return nullptr;
    const size_t at = last_ & (capacity_ - 1);
    char* const end = bytes_ + at + header_bytes + last_bytes_;
    fetch_ahead(at + header_bytes + last_bytes_, more_bytes);
    last_bytes_ += more_bytes;
    write_header(at, static_cast<uint32_t>(last_bytes_));
    written_ = last_ + framed(last_bytes_);
    return end;
  }

  /// Room for a record, to be written at once; REQUIRES has_room(record_bytes).
  char* append(size_t record_bytes) {
    const size_t need = framed(record_bytes);
    size_t at = written_ & (capacity_ - 1);
    if (at + need > capacity_) {
      write_header(at, padding);
      written_ += capacity_ - at;
      at = 0;
    }
    assert(written_ + need - tail_seen_ <= capacity_);
    return begin_record(at, record_bytes);
  }

  /// Bytes written and not yet shown to the consumer.
  size_t unpublished_bytes() const { return written_ - published_; }

  /// Shows the consumer what was written. Sequentially consistent, because a sleeping consumer is
  /// recognised by a flag that it sets before it looks here for the last time.
  void publish() {
    published_ = written_;
    head_.store(written_, std::memory_order_seq_cst);
  }

  /// Whether the consumer has taken everything. For tests and for shutting down.
  bool drained() { return tail_.load(std::memory_order_acquire) == written_; }

  /// Asks to be woken when the consumer has made room. The consumer may have made it already, so
  /// the caller asks has_room() once more after this.
  void want_room() { producer_waits_.store(true, std::memory_order_seq_cst); }

  // ---- The consumer's side.

  /// The position up to which records are there to be read.
  uint64_t head() const { return head_.load(std::memory_order_seq_cst); }
  uint64_t consumed_position() const { return read_; }

  /// The next record before `head`, which head() gave. Empty when there is none.
  std::span<const char> peek(uint64_t head) {
    while (read_ != head) {
      const size_t at = read_ & (capacity_ - 1);
      uint32_t length;
      std::memcpy(&length, bytes_ + at, sizeof length);
      if (length != padding) return {bytes_ + at + header_bytes, length};
      read_ += capacity_ - at;
    }
    return {};
  }

  /// Done with the record that peek() showed.
  void pop(std::span<const char> record) { read_ += framed(record.size()); }

  size_t unreleased_bytes() const { return read_ - released_; }

  /// How much the producer may spend in all, from the beginning on. Without any grant: no bound.
  /// One that ends a want of room comes before the release() that says so.
  void grant(uint64_t credit, uint32_t price) {
    price_.store(price, std::memory_order_relaxed);
    credit_.store(credit, std::memory_order_seq_cst);
  }

  /// Gives the room of what was popped back to the producer. True when the producer waits for room:
  /// it should be woken, and looks itself whether there is enough.
  bool release() {
    if (read_ == released_) return false;
    released_ = read_;
    tail_.store(read_, std::memory_order_seq_cst);
    if (!producer_waits_.load(std::memory_order_seq_cst)) return false;
    return producer_waits_.exchange(false, std::memory_order_seq_cst);
  }

 private:
  static constexpr uint32_t padding = UINT32_MAX;
  static constexpr size_t header_bytes = 4;
  /// Some way before the store: a line takes as long to come as several short messages take.
  static constexpr size_t ahead_bytes = 2048;

  /// The largest record in so many bytes, which are a multiple of record_align_bytes.
  static constexpr size_t record_bytes_in(size_t bytes) {
    return bytes < header_bytes ? 0 : bytes - header_bytes;
  }

  static constexpr size_t framed(size_t record_bytes) {
    return (header_bytes + record_bytes + record_align_bytes - 1) & ~(record_align_bytes - 1);
  }

  /// What can still be written as one record: the rest before the end, or what lies before the tail
  /// once the end has been padded.
  size_t room(uint64_t tail) const {
    const size_t free = capacity_ - static_cast<size_t>(written_ - tail);
    const size_t to_end = capacity_ - (written_ & (capacity_ - 1));
    if (free <= to_end) return free;
    const size_t at_front = free - to_end;
    return to_end > at_front ? to_end : at_front;
  }

  void look_for_credit() {
    credit_seen_ = credit_.load(std::memory_order_seq_cst);
    price_seen_ = price_.load(std::memory_order_relaxed);
  }

  /// Asks for the lines that are written soon after these bytes. The consumer read them last, and a
  /// store that waits for its line holds up every one behind it.
  void fetch_ahead(size_t at, size_t bytes) const {
    const size_t end = at + std::min(bytes, ahead_bytes);
    for (at = (at + cache_line_bytes - 1) & ~(cache_line_bytes - 1); at < end;
         at += cache_line_bytes) {
      constexpr int to_write = 1;
      __builtin_prefetch(bytes_ + ((at + ahead_bytes) & (capacity_ - 1)), to_write);
    }
  }

  char* begin_record(size_t at, size_t record_bytes) {
    fetch_ahead(at, framed(record_bytes));
    write_header(at, static_cast<uint32_t>(record_bytes));
    last_ = written_;
    last_bytes_ = record_bytes;
    written_ += framed(record_bytes);
    return bytes_ + at + header_bytes;
  }

  void write_header(size_t at, uint32_t length) {
    std::memcpy(bytes_ + at, &length, sizeof length);
  }

  const size_t capacity_;
  char* const bytes_;

  // Each side's own words share a line with nothing that the other side writes.
  alignas(cache_line_bytes) uint64_t written_ = 0;
  uint64_t published_ = 0;
  uint64_t tail_seen_ = 0;
  uint64_t credit_seen_ = 0;
  uint64_t spent_ = 0;
  uint32_t price_seen_ = 1;
  uint64_t last_ = 0;  // Where the last record begins.
  size_t last_bytes_ = 0;

  alignas(cache_line_bytes) std::atomic<uint64_t> head_{0};
  std::atomic<bool> producer_waits_{false};

  alignas(cache_line_bytes) std::atomic<uint64_t> tail_{0};
  std::atomic<uint64_t> credit_{UINT64_MAX};
  std::atomic<uint32_t> price_{1};

  alignas(cache_line_bytes) uint64_t read_ = 0;
  uint64_t released_ = 0;
};

}  // namespace peal::core
