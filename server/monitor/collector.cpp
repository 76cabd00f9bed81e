#include "server/monitor/collector.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/clock.hpp"

namespace peal::server::monitor {
namespace {

using core::millisecond_ns;
using core::monotonic_ns;
using core::second_ns;

// A shard whose turn takes longer than this is in trouble, and whoever asks should know.
constexpr int64_t answer_within_ns = second_ns;

// Of a shard's time: this part, and so much at once when nothing was asked for a while.
constexpr int64_t budget_part = 20;
constexpr int64_t budget_ns_max = 50'000'000;

// How old a picture may be that is shown for want of budget.
constexpr int64_t stale_ns_max = second_ns;

std::vector<ShardId> numbers_below(size_t count) {
  std::vector<ShardId> numbers(count);
  std::iota(numbers.begin(), numbers.end(), ShardId{0});
  return numbers;
}

}  // namespace

Collector::Collector(ServerState& state, std::function<void(ShardId)> wake)
    : state_(state),
      wake_(std::move(wake)),
      all_(numbers_below(state.shard_words.size())),
      bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      budget_ns_(budget_ns_max),
      budget_at_ns_(monotonic_ns()) {
  for (const ShardId shard : all_) state_.watch_slots[shard].set_bell(bell_);
  counters_.shards.resize(all_.size());
}

Collector::~Collector() {
  if (bell_ >= 0) ::close(bell_);
}

bool Collector::has_budget() {
  const int64_t now_ns = monotonic_ns();
  budget_ns_ = std::min(budget_ns_max, budget_ns_ + (now_ns - budget_at_ns_) / budget_part);
  budget_at_ns_ = now_ns;
  return budget_ns_ > 0;
}

void Collector::await_budget() {
  while (!has_budget()) {
    const int64_t wait_ns = std::min<int64_t>((1 - budget_ns_) * budget_part, second_ns - 1);
    const timespec wait{0, wait_ns};
    ::nanosleep(&wait, nullptr);
  }
}

// Gives each of them its request, which has been filled in, and waits for all answers.
bool Collector::exchange(const std::vector<ShardId>& shards) {
  for (const ShardId shard : shards) {
    state_.watch_slots[shard].ask();
    wake_(shard);
  }
  const int64_t deadline_ns = monotonic_ns() + answer_within_ns;
  int64_t taken_ns = 0;
  for (const ShardId shard : shards) {
    const WatchSlot& slot = state_.watch_slots[shard];
    while (!slot.free()) {
      const int64_t left_ns = deadline_ns - monotonic_ns();
      if (left_ns <= 0) return false;
      pollfd ring{bell_, POLLIN, 0};
      if (::poll(&ring, 1, static_cast<int>(left_ns / millisecond_ns + 1)) > 0) {
        uint64_t rings;
        [[maybe_unused]] const ssize_t read = ::read(bell_, &rings, sizeof rings);
      }
    }
    taken_ns = std::max(taken_ns, slot.answer().taken_ns);
  }
  budget_ns_ -= taken_ns;
  spent_ns_ += taken_ns;
  return true;
}

// Slice after slice, from all of these shards at a time, until each has come to its end or `take`,
// which is shown each answer, wants no more.
template <typename Take>
bool Collector::list(WatchRequest request, std::vector<ShardId> shards, Take take) {
  const auto free = [this](ShardId shard) { return state_.watch_slots[shard].free(); };
  if (!std::all_of(shards.begin(), shards.end(), free)) return false;
  for (const ShardId shard : shards) state_.watch_slots[shard].request() = request;
  while (!shards.empty()) {
    await_budget();
    if (!exchange(shards)) return false;
    for (size_t i = shards.size(); i-- > 0;) {
      WatchSlot& slot = state_.watch_slots[shards[i]];
      if (!take(shards[i], slot.answer())) return true;
      if (slot.answer().next.ended) {
        shards.erase(shards.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        slot.request().from = slot.answer().next;
      }
    }
  }
  return true;
}

const Counters* Collector::counters() {
  if (!has_budget() && monotonic_ns() - counters_at_ns_ < stale_ns_max && counters_at_ns_ >= 0) {
    return &counters_;
  }
  WatchRequest request;
  request.question = Question::counters;
  for (const ShardId shard : all_) {
    if (!state_.watch_slots[shard].free()) return nullptr;
    state_.watch_slots[shard].request() = request;
  }
  await_budget();
  if (!exchange(all_)) return nullptr;
  counters_.taken_ns = 0;
  for (const ShardId shard : all_) {
    const WatchAnswer& answer = state_.watch_slots[shard].answer();
    counters_.shards[shard] = answer.counters;
    counters_.taken_ns = std::max(counters_.taken_ns, answer.taken_ns);
  }
  counters_at_ns_ = monotonic_ns();
  return &counters_;
}

const std::vector<ConnectionPicture>* Collector::connections(bool open) {
  Listing& listing = open ? open_ : closed_;
  last_listing_ = &listing;
  if (listing.at_ns >= 0 && !has_budget() && monotonic_ns() - listing.at_ns < stale_ns_max) {
    return &listing.rows;
  }
  size_t count = 0;  // Rows are written over, for the memory of their texts.
  WatchRequest request;
  request.question = open ? Question::connections : Question::closed_connections;
  const bool answered = list(request, all_, [&](ShardId shard, const WatchAnswer& answer) {
    for (size_t i = 0; i < answer.count; i++, count++) {
      if (count == listing.rows.size()) {
        listing.rows.emplace_back();
        listing.shards.emplace_back();
      }
      listing.rows[count] = answer.connections[i];
      listing.shards[count] = shard;
    }
    return true;
  });
  listing.at_ns = -1;
  if (!answered) return nullptr;
  listing.rows.resize(count);
  listing.shards.resize(count);
  listing.at_ns = monotonic_ns();
  return &listing.rows;
}

bool Collector::trace(uint64_t cid, const std::string& subject, int64_t for_ns) {
  WatchRequest request;
  request.question = Question::trace;
  request.from.at = cid;
  request.subject = subject;
  request.trace_ns = for_ns;
  for (const ShardId shard : all_) {
    if (!state_.watch_slots[shard].free()) return false;
    state_.watch_slots[shard].request() = request;
  }
  return exchange(all_);
}

ShardId Collector::shard_of(size_t index) const { return last_listing_->shards[index]; }

const SubscriptionList* Collector::subscriptions(const SubscriptionsAsked& asked) {
  WatchRequest request;
  request.question = Question::subscriptions;
  request.subject = asked.subject;
  request.account = asked.account;
  request.counted_only = asked.listed_max == 0;
  uint64_t& total = subscriptions_.total;
  std::vector<SubscriptionPicture>& rows = subscriptions_.rows;
  total = 0;
  rows.clear();
  const bool answered = list(request, all_, [&](ShardId shard, const WatchAnswer& answer) {
    for (size_t i = 0; i < answer.count && rows.size() < asked.listed_max; i++) {
      if (total + i >= asked.offset) rows.push_back(answer.subscriptions[i]);
    }
    total += answer.subscriptions_seen;
    state_.watch_slots[shard].request().counted_only = rows.size() == asked.listed_max;
    return true;
  });
  return answered ? &subscriptions_ : nullptr;
}

const std::vector<SubscriptionPicture>* Collector::subscriptions_of(
    ShardId shard, const ConnectionPicture& connection, size_t count_max) {
  WatchRequest request;
  request.question = Question::subscriptions;
  request.one_connection = true;
  request.from.at = connection.slot;
  request.from.generation = connection.generation;
  auto& rows = subscriptions_.rows;
  rows.clear();
  const bool answered = list(request, {shard}, [&](ShardId, const WatchAnswer& answer) {
    const auto begin = answer.subscriptions.begin();
    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(answer.count));
    return rows.size() < count_max;
  });
  return answered ? &rows : nullptr;
}

}  // namespace peal::server::monitor
