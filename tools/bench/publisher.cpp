#include "tools/bench/publisher.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/writer.hpp"
#include "tools/bench/clock.hpp"
#include "tools/bench/stamp.hpp"

namespace peal::bench {
namespace {

// How often a publisher listens to its server: often enough for PINGs and refusals, too seldom to
// be seen in a profile.
constexpr int64_t tend_ns = 50 * millisecond_ns;
// How long one sleeps at most, so that the end of a run is noticed.
constexpr int64_t nap_ns = 50 * millisecond_ns;

MessageShape shape_of(const PublisherPlan& plan, uint32_t index) {
  return {.subject = plan.subjects.subject(plan.options.pairs ? index : 0, 0),
          .reply = {},
          .payload_bytes = plan.options.size_bytes,
          .headers = plan.options.headers,
          .binary = plan.options.binary,
          .leaves = plan.subjects.has_leaves()};
}

}  // namespace

Publisher::Publisher(Link link, const PublisherPlan& plan, uint32_t index)
    : link_(std::move(link)),
      plan_(plan),
      index_(index),
      block_(shape_of(plan, index), plan.block_bytes),
      leaves_(plan.options, index) {}

void Publisher::begin(const Phase& phase) {
  phase_ = phase;
  in_phase_ = 0;
  finished_ns_ = 0;
  send_delay_ = Histogram();
}

// How many may be sent now: none if the next one is not due yet.
uint64_t Publisher::wanted(int64_t now_ns) const {
  const uint64_t left = phase_.messages - in_phase_;
  if (!is_paced()) return left;
  const int64_t since_ns = now_ns - phase_.start_ns;
  if (since_ns < 0) return 0;
  const double burst_ns = phase_.interval_ns * phase_.burst;
  const uint64_t due = (uint64_t(double(since_ns) / burst_ns) + 1) * phase_.burst;
  return due > in_phase_ ? std::min(left, due - in_phase_) : 0;
}

Pumped Publisher::pump(int64_t now_ns, int flags) {
  if (unsent_.empty()) {
    if (in_phase_ == phase_.messages || now_ns >= phase_.end_ns) return Pumped::done;
    const size_t messages = size_t(std::min<uint64_t>(wanted(now_ns), block_.messages()));
    if (messages == 0) return Pumped::early;
    fill(messages, now_ns);
  }
  const ssize_t sent = link_.send_some({unsent_.data(), unsent_.size()}, flags);
  if (sent < 0) {
    switch (errno) {
      case EINTR:
        return Pumped::sent;
      case EAGAIN:
        return on_blocked(now_ns);
      default:
        error_ = std::strerror(errno);
        tend();  // It may have said why.
        return Pumped::failed;
    }
  }
  blocked_ns_ = 0;
  unsent_.remove_prefix(size_t(sent));
  if (unsent_.empty()) on_block_sent();
  return Pumped::sent;
}

Pumped Publisher::on_blocked(int64_t now_ns) {
  if (blocked_ns_ == 0) blocked_ns_ = now_ns;
  if (now_ns < blocked_ns_ + patience_s * second_ns) return Pumped::blocked;
  error_ = took_nothing();
  return Pumped::failed;
}

void Publisher::fill(size_t messages, int64_t now_ns) {
  block_due_ns_ = is_paced() ? due_ns(in_phase_) : now_ns;
  block_deliveries_ = uint64_t{plan_.hearers} * messages;
  if (plan_.subjects.has_leaves()) {
    const bool counted = !plan_.leaf_hearers.empty();
    if (counted) block_deliveries_ = 0;
    for (size_t i = 0; i < messages; i++) {
      const uint32_t leaf = leaves_.next();
      write_leaf(block_.leaf(i), leaf);
      if (counted) block_deliveries_ += plan_.leaf_hearers[leaf];
    }
  }
  switch (plan_.payload) {
    case Payload::filler:
      break;
    case Payload::due:
      for (size_t i = 0; i < messages; i++) {
        stamp_due(block_.payload(i), is_paced() ? due_ns(in_phase_ + i) : now_ns);
      }
      break;
    case Payload::sealed:
      for (size_t i = 0; i < messages; i++) {
        const int64_t due = is_paced() ? due_ns(in_phase_ + i) : now_ns;
        seal(block_.payload(i), block_.payload_bytes(), {number_ + i, due, index_});
      }
      break;
  }
  in_block_ = messages;
  unsent_ = block_.first(messages);
}

void Publisher::on_block_sent() {
  in_phase_ += in_block_;
  number_ += in_block_;
  sent_.store(sent() + in_block_, std::memory_order_relaxed);
  deliveries_.store(deliveries() + block_deliveries_, std::memory_order_relaxed);
  if (is_paced()) send_delay_.record(now_ns() - block_due_ns_);
}

bool Publisher::tend() {
  ReplyStream& replies = link_.replies();
  const Received received = replies.receive(link_.fd(), MSG_DONTWAIT, [](const auto&) {});
  if (!replies.error().empty()) {
    error_ = replies.error();
    return false;
  }
  if (received == Received::closed) {
    if (error_.empty()) error_ = link_.why_gone();
    return false;
  }
  return !unsent_.empty() || link_.answer_pings();
}

bool Publisher::finish() {
  finished_ns_ = now_ns();  // Without an answer that is when it was.
  if (!error_.empty()) return false;
  if (auto error = link_.barrier()) {
    error_ = *error;
    return false;
  }
  finished_ns_ = now_ns();
  return true;
}

namespace {

/// One thread's publishers that are not done, and what they wait for.
class Pumps {
 public:
  Pumps(std::vector<Publisher*> active, RunControl& control)
      : active_(std::move(active)),
        control_(control),
        // One alone may block in send: that is a system call less than to poll before it.
        flags_(active_.size() == 1 ? 0 : MSG_DONTWAIT) {}

  bool done() const { return active_.empty(); }

  void round() {
    const int64_t now = now_ns();
    bool moved = false;
    wake_ns_ = now + nap_ns;
    blocked_.clear();
    for (size_t i = 0; i < active_.size();) {
      Publisher& publisher = *active_[i];
      if (control_.stopping()) publisher.cut_short();
      switch (publisher.pump(now, flags_)) {
        case Pumped::sent:
          moved = true;
          break;
        case Pumped::blocked:
          blocked_.push_back({publisher.link().fd(), POLLOUT, 0});
          break;
        case Pumped::early:
          wake_ns_ = std::min(wake_ns_, publisher.next_due_ns());
          break;
        case Pumped::failed:
          control_.fail(fmt::format("publisher {}: {}", publisher.index(), publisher.error()));
          [[fallthrough]];
        case Pumped::done:
          active_[i] = active_.back();
          active_.pop_back();
          moved = true;
          continue;
      }
      i++;
    }
    if (now >= tend_due_ns_) tend(now);
    if (!moved) wait(now);
  }

 private:
  void tend(int64_t now) {
    tend_due_ns_ = now + tend_ns;
    for (Publisher* publisher : active_) {
      if (publisher->tend()) continue;
      control_.fail(fmt::format("publisher {}: {}", publisher->index(), publisher->error()));
    }
  }

  void wait(int64_t now) {
    if (blocked_.empty()) return sleep_until(wake_ns_);
    const int64_t wait_ns = std::max<int64_t>(wake_ns_ - now, 0);
    const timespec time{wait_ns / second_ns, wait_ns % second_ns};
    ::ppoll(blocked_.data(), blocked_.size(), &time, nullptr);
  }

  std::vector<Publisher*> active_;
  RunControl& control_;
  int flags_;
  int64_t wake_ns_ = 0;
  int64_t tend_due_ns_ = 0;
  std::vector<pollfd> blocked_;
};

}  // namespace

void publish(const std::vector<Publisher*>& mine, RunControl& control) {
  // Else the kernel may let each sleep last 50 us longer.
  ::prctl(PR_SET_TIMERSLACK, 1);
  Pumps pumps(mine, control);
  while (!pumps.done()) pumps.round();
  for (Publisher* publisher : mine) {
    if (publisher->finish()) continue;
    control.fail(fmt::format("publisher {}: {}", publisher->index(), publisher->error()));
  }
}

}  // namespace peal::bench
