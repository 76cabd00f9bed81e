#include "server/watch.hpp"

#include <unistd.h>

namespace peal::server {

WatchSlot::WatchSlot() {
  answer_.connections.resize(connections_per_slice);
  answer_.subscriptions.resize(subscriptions_per_slice);
}

void WatchSlot::answered() {
  asked_.store(false, std::memory_order_release);
  const uint64_t one = 1;
  if (bell_ >= 0) [[maybe_unused]]
    const ssize_t written = ::write(bell_, &one, sizeof one);
}

}  // namespace peal::server
