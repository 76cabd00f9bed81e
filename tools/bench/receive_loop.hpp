#pragma once
// The loop of a thread that receives on one connection or on thousands. It knows readiness; what a
// peer does with what it receives it must never know.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/bench/clock.hpp"
#include "tools/bench/reply_stream.hpp"

namespace peal::bench {

/// How long nothing has to come before a peer is told so.
inline constexpr int quiet_ms = 500;

/// Calls `receive(flags)` of each peer whose connection has something, and `on_quiet()` now and
/// then of each that has nothing, until each has said that it is closed. `on_closed` is called once
/// for each.
template <typename Peer, typename OnClosed>
void receive_on_all(const std::vector<Peer*>& peers, OnClosed&& on_closed) {
  // One alone may block in the receive: that is a system call less for each.
  if (peers.size() == 1) {
    Peer& peer = *peers[0];
    peer.link().set_receive_timeout(quiet_ms);
    while (true) {
      const Received received = peer.receive(0);
      if (received == Received::closed) return on_closed(peer);
      if (received == Received::nothing) peer.on_quiet();
    }
  }
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  enum class State : uint8_t { quiet, heard, closed };
  std::vector<State> states(peers.size());
  for (size_t i = 0; i < peers.size(); i++) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, peers[i]->link().fd(), &event);
  }
  std::array<epoll_event, 256> events;
  size_t open = peers.size();
  int64_t looked_ns = now_ns();
  while (open > 0) {
    const int ready = ::epoll_wait(poll, events.data(), int(events.size()), quiet_ms);
    for (int i = 0; i < ready; i++) {
      const size_t index = events[size_t(i)].data.u64;
      Peer& peer = *peers[index];
      states[index] = State::heard;
      if (peer.receive(MSG_DONTWAIT) != Received::closed) continue;
      ::epoll_ctl(poll, EPOLL_CTL_DEL, peer.link().fd(), nullptr);
      states[index] = State::closed;
      on_closed(peer);
      open--;
    }
    if (now_ns() < looked_ns + quiet_ms * millisecond_ns) continue;
    looked_ns = now_ns();
    for (size_t i = 0; i < peers.size(); i++) {
      if (states[i] == State::quiet) peers[i]->on_quiet();
      if (states[i] == State::heard) states[i] = State::quiet;
    }
  }
  ::close(poll);
}

}  // namespace peal::bench
