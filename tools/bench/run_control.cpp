#include "tools/bench/run_control.hpp"

#include <signal.h>
#include <unistd.h>

namespace peal::bench {
namespace {

std::atomic<bool> caught{false};

void on_signal(int signal) {
  if (caught.exchange(true)) _exit(128 + signal);
}

}  // namespace

void RunControl::fail(std::string sentence) {
  const std::lock_guard lock(mutex_);
  if (stopping()) return;
  failures_.push_back(std::move(sentence));
  stop();
}

std::vector<std::string> RunControl::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

void RunControl::catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // The TLS library writes without MSG_NOSIGNAL.
}

bool RunControl::interrupted() { return caught.load(std::memory_order_relaxed); }

}  // namespace peal::bench
