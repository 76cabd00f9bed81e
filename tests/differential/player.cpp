#include "tests/differential/player.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace peal::differential {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;
constexpr std::string_view ping_line = "PING\r\n";

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

std::string digits_of(size_t account) {
  std::string digits = std::to_string(1000 + account);
  return digits.substr(1);
}

}  // namespace

Play::Play(Player& player, const Session& session, const ServerAddress& server, size_t account)
    : player_(player),
      session_(session),
      server_(server),
      account_(account),
      cuts_(session.seed ^ 0xc075),
      peers_(session.clients) {
  for (size_t client = 0; client < session.clients; client++) {
    peers_[client].play = this;
    peers_[client].client = client;
  }
  transcript_.steps.assign(session.steps.size() + 1,
                           std::vector<std::vector<Reply>>(session.clients));
}

Play::~Play() {
  for (Peer& peer : peers_) {
    if (peer.fd >= 0) ::close(peer.fd);
  }
}

// From another loopback address each time, so that ports last however many sessions there are.
void Play::open(Peer& peer) {
  peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ::setsockopt(peer.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + session_.seed % 200);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(server_.port);
  if (peer.fd < 0 || ::bind(peer.fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
      (::connect(peer.fd, reinterpret_cast<sockaddr*>(&server), sizeof server) != 0 &&
       errno != EINPROGRESS)) {
    return give_up(std::string("cannot connect: ") + std::strerror(errno));
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = &peer;
  ::epoll_ctl(player_.epoll_, EPOLL_CTL_ADD, peer.fd, &event);
}

void Play::begin_step() {
  const Step& step = session_.steps[step_];
  Peer& peer = peers_[step.client];
  phase_ = Phase::acting;
  if (!peer.joined) {
    peer.joined = true;
    open(peer);
    if (done()) return;
  }
  std::string bytes;
  for (const Command& command : step.commands) {
    bytes += command.bytes;
    peer.pongs_wanted += command.pongs;
  }
  bytes += ping_line;
  if (!step.wild) peer.pongs_wanted++;
  replace_all(bytes, account_mark, digits_of(account_));
  pieces_.clear();
  if (server_.cut) {
    // Sometimes byte by byte, mostly in a few pieces.
    const auto bytes_max =
        cuts_.below(6) == 0 ? 1 : 1 + cuts_.below(static_cast<uint32_t>(bytes.size()));
    while (!bytes.empty() && pieces_.size() < 200) {
      const size_t size = std::min<size_t>(bytes.size(), 1 + cuts_.below(bytes_max));
      pieces_.push_back(bytes.substr(0, size));
      bytes.erase(0, size);
    }
  }
  if (!bytes.empty()) pieces_.push_back(std::move(bytes));
  std::reverse(pieces_.begin(), pieces_.end());
}

void Play::send_next_piece() {
  const Step& step = session_.steps[step_];
  Peer& peer = peers_[step.client];
  if (!peer.greeted && !peer.ended) return;  // INFO comes first, as for any client.
  if (!peer.out.empty() && !peer.ended) return;
  peer.out += pieces_.back();
  pieces_.pop_back();
  if (pieces_.empty() && step.wild) peer.shut = true;
  flush(peer);
  advance();
}

void Play::on_event(Peer& peer) {
  if (done() || peer.fd < 0) return;
  progress_ = Clock::now();
  flush(peer);
  receive(peer);
  advance();
}

void Play::flush(Peer& peer) {
  if (peer.fd < 0) return;
  while (!peer.out.empty()) {
    const ssize_t sent = ::send(peer.fd, peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN && errno != ENOTCONN)
        peer.out.clear();  // It was closed; the end will be read.
      break;
    }
    peer.out.erase(0, static_cast<size_t>(sent));
  }
  if (peer.out.empty() && peer.shut) ::shutdown(peer.fd, SHUT_WR);
}

void Play::receive(Peer& peer) {
  std::array<char, 16384> buffer;
  while (!peer.ended) {
    const ssize_t size = ::recv(peer.fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (size > 0) {
      peer.in.append(buffer.data(), static_cast<size_t>(size));
      continue;
    }
    peer.ended = true;
  }
  take_replies(peer);
  if (!peer.ended) return;
  auto& replies = transcript_.steps[step_][peer.client];
  if (!peer.in.empty()) replies.push_back({"(in part) " + peer.in, {}});
  peer.in.clear();
  replies.push_back({"EOF", {}});
  ::close(peer.fd);
  peer.fd = -1;
}

void Play::take_replies(Peer& peer) {
  Reply reply;
  while (take_reply(peer.in, reply)) {
    if (reply.line.starts_with("INFO ")) {
      peer.greeted = true;
      continue;
    }
    // Not answered: a PONG could fall into the middle of a command that is sent in pieces, and no
    // session is so long that it is missed.
    if (reply.line == "PING") continue;
    if (reply.line == "PONG") peer.pongs++;
    transcript_.steps[step_][peer.client].push_back(reply);
  }
}

void Play::advance() {
  if (done()) return;
  if (phase_ == Phase::acting) {
    const Step& step = session_.steps[step_];
    const Peer& peer = peers_[step.client];
    if (peer.ended) pieces_.clear();
    if (!pieces_.empty() || !satisfied(peer)) return;
    phase_ = Phase::gathering;
    for (Peer& other : peers_) {
      if (!other.joined || other.ended || other.client == step.client) continue;
      other.pongs_wanted++;
      other.out += ping_line;
      flush(other);
    }
  }
  if (phase_ == Phase::gathering) {
    for (const Peer& peer : peers_) {
      if (peer.joined && !satisfied(peer)) return;
    }
    step_++;
    if (step_ < session_.steps.size()) return begin_step();
    phase_ = Phase::ending;
    for (Peer& peer : peers_) {
      if (!peer.joined || peer.ended) continue;
      peer.shut = true;
      flush(peer);
    }
  }
  for (const Peer& peer : peers_) {
    if (peer.joined && !peer.ended) return;
  }
  phase_ = Phase::done;
}

void Play::give_up(const std::string& why) {
  transcript_.trouble = why;
  phase_ = Phase::done;
}

Player::Player() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) {
    std::perror("epoll_create1");
    std::exit(2);
  }
}

Player::~Player() { ::close(epoll_); }

void Player::start(Play& play) {
  plays_.push_back(&play);
  if (play.session_.steps.empty()) return play.give_up("");
  play.begin_step();
}

void Player::turn(const std::function<void(Play&)>& on_done) {
  std::array<epoll_event, 256> events;
  bool pieces = false;
  for (Play* play : plays_) {
    // What was cut goes a piece a turn: the others' bytes are between.
    if (!play->pieces_.empty()) play->send_next_piece();
    pieces = pieces || !play->pieces_.empty();
  }
  const int ready =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), pieces ? 1 : 100);
  for (int i = 0; i < ready; i++) {
    auto& peer = *static_cast<Play::Peer*>(events[static_cast<size_t>(i)].data.ptr);
    peer.play->on_event(peer);
  }
  const auto now = Clock::now();
  if (now - looked_for_trouble_ > 1s) {
    looked_for_trouble_ = now;
    for (Play* play : plays_) {
      if (!play->done() && now - play->progress_ > patience) play->give_up("no answer");
    }
  }
  for (auto at = plays_.begin(); at != plays_.end();) {
    Play* const play = *at;
    if (!play->done()) {
      ++at;
      continue;
    }
    at = plays_.erase(at);
    on_done(*play);
  }
}

}  // namespace peal::differential
