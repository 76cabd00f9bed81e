#pragma once
// The loop of a thread that receives on one connection or on thousands. It knows readiness; what a
// peer does with what it receives it must never know.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <vector>

#include "tools/bench/reply_stream.hpp"

namespace peal::bench {

/// How long nothing has to come before a peer is told so.
inline constexpr int quiet_ms = 500;

/// Calls `receive(flags)` of each peer whose connection has something, and `on_quiet()` now and
/// then when none has, until each has said that it is closed. `on_closed` is called once for each.
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
  for (Peer* peer : peers) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = peer;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, peer->link().fd(), &event);
  }
  std::array<epoll_event, 256> events;
  size_t open = peers.size();
  while (open > 0) {
    const int ready = ::epoll_wait(poll, events.data(), int(events.size()), quiet_ms);
    for (int i = 0; i < ready; i++) {
      Peer& peer = *static_cast<Peer*>(events[size_t(i)].data.ptr);
      if (peer.receive(MSG_DONTWAIT) != Received::closed) continue;
      ::epoll_ctl(poll, EPOLL_CTL_DEL, peer.link().fd(), nullptr);
      on_closed(peer);
      open--;
    }
    if (ready > 0) continue;
    for (Peer* peer : peers) peer->on_quiet();
  }
  ::close(poll);
}

}  // namespace peal::bench
