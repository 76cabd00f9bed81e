#include "server/reply_permits.hpp"

#include <limits>

namespace peal::server {

void ReplyPermits::grant(std::string_view reply, int64_t now_ns) {
  const int64_t forever = std::numeric_limits<int64_t>::max();
  const int64_t expires_ns = rules_.expires.count();
  const Permit permit{rules_.messages_max < 0 ? forever : rules_.messages_max,
                      expires_ns < 0 ? forever : now_ns + expires_ns, ++granted_};
  // The text of an older permit goes with that one's place.
  permits_.erase(reply);
  order_.push_back({std::string(reply), permit.number});
  subject_bytes_ += reply.size();
  permits_.emplace(order_.back().reply, permit);
  forget_oldest(now_ns);
  constexpr size_t each_bytes = sizeof(Granted) + sizeof(Permit) + 2 * sizeof(std::string_view);
  charge_.set(subject_bytes_ + order_.size() * each_bytes);
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
  for (unsigned steps = 0; !order_.empty() && (steps < 2 || is_full()); steps++) {
    const Granted& oldest = order_.front();
    const auto place = permits_.find(oldest.reply);
    const bool current = place != permits_.end() && place->second.number == oldest.number;
    if (current && now_ns < place->second.until_ns && !is_full()) return;
    if (current) permits_.erase(place);
    subject_bytes_ -= oldest.reply.size();
    order_.pop_front();
  }
}

}  // namespace peal::server
