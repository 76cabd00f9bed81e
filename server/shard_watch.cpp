#include "server/shard_watch.hpp"

#include <algorithm>
#include <string_view>

#include "core/clock.hpp"
#include "protocol/subject.hpp"
#include "server/connection.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

// Of each shard: what a person can read, and a log can take beside all else.
constexpr unsigned trace_lines_per_second = 100;

}  // namespace

ShardWatch::ShardWatch(Shard& shard, WatchSlot& slot)
    : shard_(shard),
      slot_(slot),
      closed_max_((shard.options().monitoring.closed_clients_max + shard.link().shards() - 1) /
                  shard.link().shards()),
      trace_lines_(trace_lines_per_second) {}

void ShardWatch::on_closed(const Connection& connection) {
  if (closed_max_ == 0) return;
  if (closed_.size() < closed_max_) closed_.emplace_back();
  ConnectionPicture& picture = closed_[closed_total_ % closed_max_];
  connection.show(picture);
  picture.stop_ns = shard_.now_ns();
  closed_total_++;
}

bool ShardWatch::trace_goes_on() {
  if (shard_.now_ns() < trace_until_ns_) return true;
  trace_until_ns_ = 0;
  return false;
}

bool ShardWatch::traces(const Connection& connection, std::string_view subject) {
  const bool wanted =
      trace_cid_ != 0 ? connection.cid() == trace_cid_ : protocol::matches(trace_subject_, subject);
  if (!wanted) return false;
  return trace_lines_.permits(shard_.now_ns(), [this](uint64_t lines) {
    shard_.log().info("trace: {} lines were left out", lines);
  });
}

void ShardWatch::answer() {
  const int64_t begin_ns = core::monotonic_ns();
  const WatchRequest& request = slot_.question();
  WatchAnswer& answer = slot_.reply();
  answer.count = 0;
  answer.subscriptions_seen = 0;
  answer.next = request.from;
  switch (request.question) {
    case Question::counters:
      answer_counters(answer.counters);
      break;
    case Question::connections:
      answer_connections(request, answer);
      break;
    case Question::closed_connections:
      answer_closed(request, answer);
      break;
    case Question::trace:
      trace_cid_ = request.from.at;
      trace_subject_ = request.subject;
      trace_until_ns_ = shard_.now_ns() + request.trace_ns;
      break;
    case Question::subscriptions:
      answer_subscriptions(request, answer);
      break;
  }
  answer.taken_ns = core::monotonic_ns() - begin_ns;
  slot_.answered();
}

void ShardWatch::answer_counters(ShardPicture& picture) {
  picture.stats = shard_.stats();
  picture.reactor = shard_.reactor().stats();
  picture.cache = shard_.interest().cache_stats();
  picture.connections = shard_.connections();
  picture.subscriptions = shard_.interest().subscriptions();
  picture.receive_buffers_free = shard_.reactor().receive_buffers();
  picture.mailbox_bytes = shard_.link().inbound_bytes();
  picture.mailbox_capacity_bytes = shard_.link().inbound_capacity_bytes();
  picture.busy_ns = core::clock_ns(CLOCK_THREAD_CPUTIME_ID);
  core::ledger().set(core::Purpose::interest, shard_.interest().memory_bytes());
  for (size_t purpose = 0; purpose < core::purposes; purpose++) {
    picture.memory_bytes[purpose] = core::ledger().bytes(static_cast<core::Purpose>(purpose));
  }
}

void ShardWatch::answer_connections(const WatchRequest& request, WatchAnswer& answer) {
  size_t slot = request.from.at;
  const size_t end = std::min(shard_.slots(), slot + WatchSlot::slots_per_slice);
  for (; slot < end && answer.count < answer.connections.size(); slot++) {
    const Connection* connection = shard_.at(slot);
    if (connection == nullptr || !connection->open()) continue;
    connection->show(answer.connections[answer.count++]);
  }
  answer.next.at = slot;
  answer.next.ended = slot >= shard_.slots();
}

void ShardWatch::answer_closed(const WatchRequest& request, WatchAnswer& answer) {
  uint64_t seen = request.from.at;
  for (; seen < closed_.size() && answer.count < answer.connections.size(); seen++) {
    const uint64_t newest = closed_total_ - 1;
    answer.connections[answer.count++] = closed_[(newest - seen) % closed_max_];
  }
  answer.next.at = seen;
  answer.next.ended = seen >= closed_.size();
}

void ShardWatch::answer_subscriptions(const WatchRequest& request, WatchAnswer& answer) {
  size_t looked_at = 0;
  size_t slot = request.from.at;
  const size_t slots_end = std::min(shard_.slots(), slot + WatchSlot::slots_per_slice);
  const size_t end = request.one_connection ? std::min(shard_.slots(), slot + 1) : slots_end;
  for (; slot < end; slot++) {
    Connection* const connection = shard_.at(slot);
    if (connection == nullptr || !connection->open() || !is_meant(request, *connection)) continue;
    answer.next.at = slot;
    if (!list_subscriptions(request, *connection, answer, looked_at)) return;
  }
  answer.next.at = slot;
  answer.next.sid.clear();
  answer.next.ended = request.one_connection || slot >= shard_.slots();
}

bool ShardWatch::is_meant(const WatchRequest& request, const Connection& connection) const {
  if (request.one_connection) return connection.generation() == request.from.generation;
  return request.account.empty() ||
         shard_.security().account(connection.account())->name == request.account;
}

// False when the slice is full; then the cursor names the subscription that comes next. Should that
// one be gone when the next slice is asked for, the rest of its connection is left out.
bool ShardWatch::list_subscriptions(const WatchRequest& request, Connection& connection,
                                    WatchAnswer& answer, size_t& looked_at) {
  Interest& interest = shard_.interest();
  uint32_t id = connection.owned();
  const WatchCursor& from = request.from;
  if (!from.sid.empty() && from.at == connection.slot() &&
      from.generation == connection.generation()) {
    const Subscription* next = interest.find(connection.slot(), from.sid);
    id = next == nullptr ? no_subscription : next->id;
  } else if (request.counted_only && request.subject.empty()) {
    answer.subscriptions_seen += connection.subscriptions();
    return true;
  }
  for (; id != no_subscription; id = Interest::next_owned(*interest.at(id)), looked_at++) {
    const Subscription& subscription = *interest.at(id);
    if (answer.count == answer.subscriptions.size() ||
        looked_at == WatchSlot::subscriptions_looked_at_per_slice) {
      answer.next.sid = subscription.sid();
      answer.next.generation = connection.generation();
      return false;
    }
    const std::string_view filter = interest.filter_of(subscription);
    if (!request.subject.empty() && !protocol::matches(filter, request.subject)) continue;
    answer.subscriptions_seen++;
    if (request.counted_only) continue;
    SubscriptionPicture& picture = answer.subscriptions[answer.count++];
    picture.account = connection.account();
    picture.cid = connection.cid();
    picture.messages = subscription.delivered;
    picture.messages_max = subscription.delivered_max;
    picture.subject = filter;
    picture.queue = interest.queue_of(subscription);
    picture.sid = subscription.sid();
  }
  return true;
}

}  // namespace peal::server
