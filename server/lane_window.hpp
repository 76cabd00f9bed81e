#pragma once
// How many messages may wait in a data lane. Its bytes bound memory; what bounds the wait of
// whoever stands behind them (a PING, a message for another client) is the work that they are, and
// a message for a thousand subscribers is as much as a thousand messages. Only the shard that
// delivers knows how many it gives each to, so it says how many more it wants: as many as come to
// so much work (see work_of()) if they are like those of late. It knows numbers; it must never know
// a message.

#include <algorithm>
#include <cstdint>

namespace peal::server {

class LaneWindow {
 public:
  void count(uint64_t messages, uint64_t work) {
    messages_ += messages;
    late_messages_ += messages;
    late_work_ += work;
  }

  /// How many messages may be handed over in all, from the first one on, so that those which wait
  /// come to about `work`, which is one at least: no fewer than one more than were read.
  uint64_t credit(uint64_t work) {
    while (late_work_ > 2 * work || late_messages_ > 2 * work) {
      late_messages_ = (late_messages_ + 1) / 2;
      late_work_ /= 2;
    }
    const uint64_t window =
        late_work_ <= late_messages_ ? work : work * late_messages_ / late_work_;
    return messages_ + std::max<uint64_t>(window, 1);
  }

  /// What a message was of late.
  uint32_t price() const {
    const uint64_t messages = std::max<uint64_t>(late_messages_, 1);
    const uint64_t each = (late_work_ + messages - 1) / messages;
    return static_cast<uint32_t>(std::clamp<uint64_t>(each, 1, UINT32_MAX));
  }

 private:
  uint64_t messages_ = 0;
  uint64_t late_messages_ = 0;
  uint64_t late_work_ = 0;
};

}  // namespace peal::server
