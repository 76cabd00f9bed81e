#pragma once
// A coarse timing wheel: one due time for each small id, set and cleared in constant time, without
// memory of its own per timer beyond twelve bytes in a table. It knows ids and ticks; it must never
// know what is due. One thread at a time.
//
// Ids lie in doubly linked lists, one for each slot of the wheel. An id that is due later than one
// turn of the wheel is found once a turn and left where it is.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace peal::core {

class TimerWheel {
 public:
  /// How coarse: what is due is found at most so much later.
  static constexpr int64_t tick_ns = 64'000'000;

  explicit TimerWheel(int64_t now_ns) : tick_(now_ns / tick_ns) { heads_.fill(none); }

  /// Sets or moves the one timer of `id`.
  void set(uint32_t id, int64_t due_ns) {
    if (id >= nodes_.size()) nodes_.resize(std::bit_ceil(std::size_t{id} + 1));
    clear(id);
    int64_t due_tick = due_ns / tick_ns + 1;
    if (due_tick <= tick_) due_tick = tick_ + 1;
    Node& node = nodes_[id];
    node.due_tick = static_cast<uint32_t>(due_tick);
    const uint32_t slot = slot_of(due_tick);
    node.next = heads_[slot];
    node.prev = none;
    node.linked = true;
    if (node.next != none) nodes_[node.next].prev = id;
    heads_[slot] = id;
    occupied_[slot / 64] |= uint64_t{1} << (slot % 64);
    linked_++;
  }

  void clear(uint32_t id) {
    if (id >= nodes_.size() || !nodes_[id].linked) return;
    Node& node = nodes_[id];
    const uint32_t slot = slot_of(node.due_tick);
    if (node.next != none) nodes_[node.next].prev = node.prev;
    if (node.prev != none) {
      nodes_[node.prev].next = node.next;
    } else {
      heads_[slot] = node.next;
      if (node.next == none) occupied_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    }
    node.linked = false;
    linked_--;
  }

  /// Calls `act(id)` for each id that has become due; its timer is cleared by then, and may be set
  /// again.
  template <typename Act>
  void advance(int64_t now_ns, Act&& act) {
    const int64_t now_tick = now_ns / tick_ns;
    if (linked_ == 0) tick_ = now_tick;  // Nothing to find on the way.
    while (tick_ < now_tick) {
      tick_++;
      const uint32_t slot = slot_of(tick_);
      due_.clear();
      for (uint32_t id = heads_[slot]; id != none; id = nodes_[id].next) {
        if (nodes_[id].due_tick <= static_cast<uint32_t>(tick_)) due_.push_back(id);
      }
      for (const uint32_t id : due_) {
        // An earlier one's act may have cleared or moved it.
        if (!nodes_[id].linked || nodes_[id].due_tick > static_cast<uint32_t>(tick_)) continue;
        clear(id);
        act(id);
      }
    }
  }

  /// When to look next: no timer is due before. INT64_MAX when there is none.
  int64_t next_ns() const {
    if (linked_ == 0) return INT64_MAX;
    for (int64_t ahead = 1; ahead <= int64_t{slots}; ahead++) {
      const uint32_t slot = slot_of(tick_ + ahead);
      if (occupied_[slot / 64] >> (slot % 64) & 1) return (tick_ + ahead) * tick_ns;
    }
    return INT64_MAX;
  }

 private:
  static constexpr uint32_t slots = 1024;  // 65 seconds a turn.
  static constexpr uint32_t none = UINT32_MAX;

  struct Node {
    uint32_t next = none;
    uint32_t prev = none;
    uint32_t due_tick : 31 = 0;
    uint32_t linked : 1 = 0;
  };

  static uint32_t slot_of(int64_t tick) { return static_cast<uint32_t>(tick) % slots; }

  int64_t tick_;
  std::size_t linked_ = 0;
  std::array<uint32_t, slots> heads_;
  std::array<uint64_t, slots / 64> occupied_{};
  std::vector<Node> nodes_;
  std::vector<uint32_t> due_;
};

}  // namespace peal::core
