#pragma once
// What one thread did last, for the report of a crash: a small ring of operations, and the step of
// the turn that it is in. It knows words, numbers and turns; it must never be given what a client
// said. Written for each completion and each step, never for a message.
//
// One thread at a time writes. A report that is written while it goes on may show a line that is
// half of one operation and half of another.

#include <array>
#include <cstddef>
#include <cstdint>

namespace peal::core {

class FlightRecorder {
 public:
  static constexpr size_t operations_kept = 32;

  struct Operation {
    const char* what = nullptr;  // A literal.
    uint64_t turn = 0;
    uint32_t slot = 0;
    int32_t result = 0;
  };

  /// Is in the report from now on, under this number, until it goes.
  explicit FlightRecorder(unsigned number);
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  void begin_turn(uint64_t turn) { turn_ = turn; }
  /// A literal.
  void enter(const char* step) { step_ = step; }
  void note(const char* what, uint32_t slot, int32_t result) {
    operations_[noted_++ % operations_kept] = {what, turn_, slot, result};
  }

  // ---- For the report.
  unsigned number() const { return number_; }
  uint64_t turn() const { return turn_; }
  const char* step() const { return step_; }
  size_t kept() const { return noted_ < operations_kept ? noted_ : operations_kept; }
  /// 0 is the last one.
  const Operation& last(size_t back) const {
    return operations_[(noted_ - 1 - back) % operations_kept];
  }

 private:
  const unsigned number_;
  uint64_t turn_ = 0;
  const char* step_ = "start";
  size_t noted_ = 0;
  std::array<Operation, operations_kept> operations_{};
};

}  // namespace peal::core
