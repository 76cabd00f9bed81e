#pragma once
// Holds what one receiver gets of one sender's numbered messages against what was sent: each number
// once, in order. It knows numbers; where they come from it must never know.

#include <cstdint>
#include <map>

namespace peal::bench {

struct StreamFaults {
  uint64_t lost = 0;
  uint64_t duplicate = 0;
  uint64_t reordered = 0;  // Came after a later one.
  uint64_t damaged = 0;

  bool any() const { return lost + duplicate + reordered + damaged != 0; }
  StreamFaults& operator+=(const StreamFaults& more);
  bool operator==(const StreamFaults&) const = default;
};

class StreamCheck {
 public:
  void on_number(uint64_t number);

  /// What is wrong, given how many were sent until now. What is missing counts as lost.
  StreamFaults faults(uint64_t sent) const;

 private:
  void fill_gap(uint64_t number);

  uint64_t next_ = 0;
  uint64_t missing_ = 0;
  std::map<uint64_t, uint64_t> gaps_;  // First missing number to the one after the last.
  uint64_t duplicate_ = 0;
  uint64_t reordered_ = 0;
};

}  // namespace peal::bench
