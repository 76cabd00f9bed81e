#include "server/helper_pool.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/crash_report.hpp"
#include "core/thread.hpp"

namespace peal::server {

// A shard that has something to do comes first, but a helper is not starved.
static constexpr int helper_niceness = 10;

// REQUIRES the lock.
void HelperPool::begin() {
  for (unsigned i = 0; i < threads_max_; i++) {
    auto started = core::start_thread([this, i] {
      core::name_thread(fmt::format("peal-helper-{}", i));
      const core::CrashStack crash_stack;
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), helper_niceness);
      run();
    });
    if (!started) return;
    threads_.push_back(*std::move(started));
  }
}

HelperPool::~HelperPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Queue& queue : queues_) queue.waiting.clear();
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool HelperPool::submit(Kind kind, Work work) {
  {
    const std::lock_guard lock(mutex_);
    Queue& queue = queues_[static_cast<size_t>(kind)];
    if (stopping_ || queue.waiting.size() >= waiting_max) return false;
    if (threads_.empty()) begin();
    if (threads_.empty()) return false;
    if (queue.waiting.empty()) {
      for (const Queue& each : queues_) queue.spent_ns = std::max(queue.spent_ns, each.spent_ns);
    }
    queue.waiting.push_back(std::move(work));
  }
  wanted_.notify_one();
  return true;
}

// The one that less time was spent on, of those where something waits. REQUIRES the lock.
HelperPool::Queue* HelperPool::next() {
  Queue* found = nullptr;
  for (Queue& queue : queues_) {
    if (queue.waiting.empty()) continue;
    if (found == nullptr || queue.spent_ns < found->spent_ns) found = &queue;
  }
  return found;
}

// REQUIRES the lock, and that something waits.
HelperPool::Work HelperPool::take(Queue& queue) {
  const bool newest_first = &queue == &queues_[static_cast<size_t>(Kind::password)];
  Work& chosen = newest_first ? queue.waiting.back() : queue.waiting.front();
  Work work = std::move(chosen);
  newest_first ? queue.waiting.pop_back() : queue.waiting.pop_front();
  return work;
}

void HelperPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || next() != nullptr; });
    if (stopping_) return;
    Queue& queue = *next();
    Work work = take(queue);
    lock.unlock();
    const int64_t began_ns = core::monotonic_ns();
    work();
    work = nullptr;
    const int64_t spent_ns = core::monotonic_ns() - began_ns;
    lock.lock();
    queue.spent_ns += spent_ns;
  }
}

}  // namespace peal::server
