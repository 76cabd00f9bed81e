#include "server/reply_permits.hpp"

#include <limits>

namespace peal::server {

void ReplyPermits::grant(std::string_view reply, int64_t now_ns) {
  forget_oldest(now_ns);
  const int64_t forever = std::numeric_limits<int64_t>::max();
  const int64_t expires_ns = rules_.expires.count();
  const Permit permit{rules_.messages_max < 0 ? forever : rules_.messages_max,
                      expires_ns < 0 ? forever : now_ns + expires_ns, ++granted_};
  const auto [place, added] = permits_.try_emplace(std::string(reply), permit);
  if (!added) place->second = permit;
  order_.push_back({place->first, permit.number});
}

bool ReplyPermits::permits(std::string_view subject, int64_t now_ns) const {
  const auto place = permits_.find(subject);
  return place != permits_.end() && now_ns < place->second.until_ns;
}

void ReplyPermits::count(std::string_view subject) {
  const auto place = permits_.find(subject);
  if (place != permits_.end() && --place->second.left <= 0) permits_.erase(place);
}

// Two a time at most, so that one of many costs as much as one of few; and all that lie in the way
// of the bound.
void ReplyPermits::forget_oldest(int64_t now_ns) {
  for (unsigned steps = 0; !order_.empty() && (steps < 2 || order_.size() >= permits_max);
       steps++) {
    const auto place = permits_.find(order_.front().reply);
    const bool current = place != permits_.end() && place->second.number == order_.front().number;
    if (current && now_ns < place->second.until_ns && order_.size() < permits_max) return;
    if (current) permits_.erase(place);
    order_.pop_front();
  }
}

}  // namespace peal::server
