#pragma once
// How many messages may wait in a data lane. Its bytes bound memory; what bounds the wait of
// whoever stands behind them (a PING, a message for another client) is the work that they are, and
// a message for a thousand subscribers is as much as a thousand messages. Only the shard that
// delivers knows how many it gives each to, so it says how many more it wants: as many as make so
// many deliveries if they are like those of late. It knows numbers; it must never know a message.

#include <algorithm>
#include <cstdint>

namespace peal::server {

class LaneWindow {
 public:
  void count(uint64_t messages, uint64_t deliveries) {
    messages_ += messages;
    late_messages_ += messages;
    late_deliveries_ += deliveries;
  }

  /// How many messages may be handed over in all, from the first one on, so that those which wait
  /// come to about `deliveries`, which is one at least: no fewer than one more than were read.
  uint64_t credit(uint64_t deliveries) {
    while (late_deliveries_ > 2 * deliveries || late_messages_ > 2 * deliveries) {
      late_messages_ = (late_messages_ + 1) / 2;
      late_deliveries_ /= 2;
    }
    const uint64_t window = late_deliveries_ <= late_messages_
                                ? deliveries
                                : deliveries * late_messages_ / late_deliveries_;
    return messages_ + std::max<uint64_t>(window, 1);
  }

 private:
  uint64_t messages_ = 0;
  uint64_t late_messages_ = 0;
  uint64_t late_deliveries_ = 0;
};

}  // namespace peal::server
