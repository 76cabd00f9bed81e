#pragma once

// What a scenario is, and the tools that all of them use. A scenario proves one promise of the
// server across many connections; it returns its figures, or throws a Failure.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"

namespace hammer {

struct Scenario {
  const char* name;
  double time_max_s;  // At scale 1, on a slow and busy machine.
  std::string (*run)(Scene&);
};

std::string sub_flush_pub(Scene&);
std::string flush_flush_count(Scene&);
std::string causality(Scene&);
std::string auto_unsub_exact(Scene&);
std::string order(Scene&);
std::string queue_churn(Scene&);
std::string queue_fair(Scene&);
std::string fan_in(Scene&);
std::string tiny_storm(Scene&);
std::string slow_honest(Scene&);
std::string pausing_honest(Scene&);
std::string stuck_one(Scene&);
std::string close_storm(Scene&);
std::string no_responders(Scene&);

using Clients = std::vector<std::unique_ptr<Client>>;

/// A server spreads connections over its threads as they come, so some will share one and some not.
inline Clients connect_many(Scene& scene, int count, ClientOptions options = {}) {
  Clients clients;
  for (int at = 0; at < count; at++) clients.push_back(std::make_unique<Client>(scene, options));
  return clients;
}

/// Threads of one scenario.
class Crew {
 public:
  explicit Crew(Scene& scene) : scene_(scene) {}
  ~Crew() {
    if (!threads_.empty()) scene_.stop("");  // Ours failed, with a text of its own.
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void add(std::function<void()> work) {
    threads_.emplace_back([this, work = std::move(work)] {
      try {
        work();
      } catch (const Failure& failure) {
        scene_.stop(failure.text);
      }
    });
  }

  void join() {
    threads_.clear();
    if (scene_.failed) fail("a thread failed");
  }

 private:
  Scene& scene_;
  std::vector<std::jthread> threads_;
};

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  double micros() const { return seconds() * 1e6; }

 private:
  Clock::time_point begin_ = Clock::now();
};

/// printf for figures.
[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);

}  // namespace hammer
