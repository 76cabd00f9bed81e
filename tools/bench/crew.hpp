#pragma once
// Threads of one kind and what each of them used. It knows threads; what they do it is told.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/thread.hpp"
#include "tools/bench/cpu_meter.hpp"

namespace peal::bench {

/// Belongs to the thread that starts it.
class Crew {
 public:
  ~Crew() { join(); }

  template <typename Work>
  void start(const std::string& name, Work work) {
    members_.push_back(std::make_unique<Member>());
    Member* const member = members_.back().get();
    running_.fetch_add(1);
    member->thread = std::thread([this, member, name, work = std::move(work)]() mutable {
      core::name_thread(name);
      member->id.store(this_thread());
      work();
      // The kernel forgets a thread's times with the thread.
      member->at_end = use_of_thread(member->id.load());
      running_.fetch_sub(1);
    });
  }

  /// How many have not ended.
  int running() const { return running_.load(); }

  void join() {
    for (const auto& member : members_) {
      if (member->thread.joinable()) member->thread.join();
    }
  }

  /// Of each thread: while it runs until now, afterwards until its end (join first).
  std::vector<ThreadUse> use() const {
    std::vector<ThreadUse> uses;
    for (const auto& member : members_) {
      const bool ended = !member->thread.joinable();
      uses.push_back(ended ? member->at_end : use_of_thread(member->id.load()));
    }
    return uses;
  }

 private:
  struct Member {
    std::thread thread;
    std::atomic<pid_t> id{0};
    ThreadUse at_end;
  };

  std::vector<std::unique_ptr<Member>> members_;
  std::atomic<int> running_{0};
};

}  // namespace peal::bench
