#include "server/roll_call.hpp"

namespace peal::server {

std::vector<RollCall::News> RollCall::look(const std::vector<uint64_t>& answered, int64_t now_ns) {
  std::vector<News> news;
  silent_ = 0;
  for (unsigned shard = 0; shard < shards_.size(); shard++) {
    Silence& silence = shards_[shard];
    if (answered[shard] == number_) {
      if (silence.since_ns != 0) news.push_back({shard, now_ns - silence.since_ns, true});
      silence = {};
      continue;
    }
    silent_++;
    // The call that it missed first: later ones went unheard as well.
    if (silence.since_ns == 0) silence.since_ns = called_ns_;
    const int64_t silent_ns = now_ns - silence.since_ns;
    if (silence.said_ns != 0 && silent_ns < 2 * silence.said_ns) continue;
    silence.said_ns = silent_ns;
    news.push_back({shard, silent_ns, false});
  }
  return news;
}

}  // namespace peal::server
