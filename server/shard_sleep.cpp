// When a shard sleeps, until when, and what it looks at once more before it does.

#include <algorithm>
#include <thread>

#include "server/shard.hpp"

namespace peal::server {

bool Shard::has_work() const {
  const bool has_changes = !closing_.empty() || !telling_.empty();
  return !dirty_.empty() || !waiting_.empty() || !next_turn_.empty() ||
         (has_changes && !link_.has_backlog()) ||
         (!starved_.empty() && reactor_.receive_buffers() > 0);
}

void Shard::decide_sleep() {
  deadline_ns_ = 0;
  if (has_work() || polls_on()) return;

  int64_t deadline_ns = timers_.next_ns();
  if (!stalled_.empty()) deadline_ns = std::min(deadline_ns, stalled_.front().until_ns);
  for (const auto& listener : listeners_) {
    deadline_ns = std::min(deadline_ns, listener->next_ns());
  }
  deadline_ns = std::min(deadline_ns, leaving_deadline_ns());
  if (mesh_.shards() > 1 && !may_sleep()) return;
  deadline_ns_ = deadline_ns;
}

// For who has cores to spare: whoever has something for a shard that polls need not wake it.
bool Shard::polls_on() {
  if (options().busy_poll_us == 0) return false;
  const bool idle = turn_completions_ == 0 && (mesh_.shards() == 1 || !link_.has_news());
  if (!idle) poll_until_ns_ = now_ns() + int64_t{options().busy_poll_us} * 1000;
  if (now_ns() >= poll_until_ns_) return false;
  if (idle) std::this_thread::yield();  // Clients may be on the same processor.
  return true;
}

// Says that we sleep and what we wait for, then looks once more: whoever showed us something before
// he could read that has not woken us. In a lent turn our thread sleeps already: whoever shows us
// something meanwhile says so to the borrower.
bool Shard::may_sleep() {
  core::Baton& baton = mesh_.baton(id());
  if (!lent_) baton.announce();
  bool news = link_.has_news();
  if (link_.has_backlog()) {
    link_.want_room_for_backlog();
    news = news || link_.backlog_can_move();
  }
  for (ShardId target = 0; target < parked_.size(); target++) {
    if (parked_[target].empty()) continue;
    link_.want_room(target);
    news = news || link_.room_came(target, bytes_to_resume(target));
  }
  if (news && !lent_) baton.keep();
  return !news;
}

}  // namespace peal::server
