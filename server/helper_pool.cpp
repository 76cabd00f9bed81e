#include "server/helper_pool.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

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
    waiting_.clear();
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool HelperPool::submit(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= waiting_max) return false;
    if (threads_.empty()) begin();
    if (threads_.empty()) return false;
    waiting_.push_back(std::move(work));
  }
  wanted_.notify_one();
  return true;
}

void HelperPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace peal::server
