#pragma once
// Finds the end of a connection that the kernel forgot to tell. A multishot receive may lose it
// where a reset comes while the bytes before it are read: on Linux 6.18, of 60 publishers that
// reset in the middle of a flood 2 to 26 stayed, closed in the kernel and with their receive still
// armed. No wake comes any more, so they stayed until a PING to them failed.
//
// Whoever has just completed with bytes and goes on is looked at once, a little later: one poll for
// all of them, and none on a thread where nothing has come. It knows sockets and tokens; it must
// never know what a connection is.

#include <poll.h>

#include <cstdint>
#include <vector>

#include "core/reactor.hpp"

namespace peal::core {

class HangupWatch {
 public:
  /// A receive is armed.
  void on_recv(int descriptor, Token token);

  /// It has completed with bytes, and is still armed.
  void on_bytes(Token token, int64_t now_ns);

  /// When to look; never, if nothing has come.
  int64_t due_ns() const { return due_ns_; }

  /// Calls `gone` with the token of each whose peer has said all it will, or has gone. The receive
  /// may have told by now; then nobody is there to be cancelled.
  template <typename Gone>
  void look(Gone&& gone);

 private:
  static constexpr int64_t delay_ns = 100'000'000;
  static constexpr uint32_t slots_max = 1u << 24;  // More connections than that are not watched.

  struct Armed {
    int descriptor = -1;
    uint32_t generation = 0;
    bool queued = false;
  };

  void ask();

  std::vector<Armed> armed_;  // By slot.
  std::vector<uint32_t> slots_;
  std::vector<pollfd> polled_;
  int64_t due_ns_ = INT64_MAX;
};

template <typename Gone>
void HangupWatch::look(Gone&& gone) {
  ask();
  for (size_t i = 0; i < slots_.size(); i++) {
    Armed& armed = armed_[slots_[i]];
    armed.queued = false;
    constexpr short ended = POLLRDHUP | POLLHUP | POLLERR;
    if ((polled_[i].revents & ended) != 0) gone({OpKind::recv, slots_[i], armed.generation});
  }
  slots_.clear();
  due_ns_ = INT64_MAX;
}

}  // namespace peal::core
