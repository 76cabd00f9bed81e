#pragma once
// Which subjects are published on, in which order, and what a subscriber asks for. All names of a
// run are equally long, so that all messages are, and can be counted by their bytes. It knows
// names; who publishes it must never know.
//
//   bench.1000            one subject a channel; --pairs has a channel for each pair
//   bench.1000.0000042    one of many subjects of a channel

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "tools/bench/options.hpp"

namespace peal::bench {

inline constexpr size_t leaf_digits = 7;  // A million subjects, all as long as the first.

/// Writes `leaf_digits` digits.
void write_leaf(char* out, uint32_t leaf);

class Subjects {
 public:
  explicit Subjects(const Options& options);

  /// Whether subjects have the last token that tells many of a channel apart.
  bool has_leaves() const { return leaves_; }
  std::string subject(uint32_t channel, uint32_t leaf) const;

  /// What subscriber `index` subscribes to.
  std::vector<std::string> filters(uint32_t index) const;

  /// How many subscriptions of all subscribers hear each leaf; empty when each subscriber hears
  /// all.
  std::vector<uint32_t> hearers() const;

 private:
  uint32_t first_leaf(uint32_t subscriber) const;

  const Options& options_;
  uint32_t first_channel_;
  uint32_t leaf_count_;  // That subscriptions are spread over.
  bool leaves_;
};

/// Leaf after leaf, for ever: each in turn, in an order that is not that of the names, or by a Zipf
/// distribution.
class LeafOrder {
 public:
  LeafOrder(const Options& options, uint32_t publisher);

  uint32_t next() {
    if (!drawn_.empty()) {
      const uint32_t leaf = drawn_[at_];
      at_ = at_ + 1 == drawn_.size() ? 0 : at_ + 1;
      return leaf;
    }
    const uint32_t leaf = at_;
    at_ += stride_;
    if (at_ >= leaves_) at_ -= leaves_;
    return leaf;
  }

 private:
  void draw(double skew, core::Random& random);

  uint32_t leaves_;
  uint32_t stride_ = 0;
  uint32_t at_ = 0;
  std::vector<uint32_t> drawn_;
};

}  // namespace peal::bench
