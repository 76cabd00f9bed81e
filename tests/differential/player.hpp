#pragma once
// Plays sessions on real sockets, many at a time in one thread. It waits for PONGs and ends, never
// for time to pass; a server that gives neither is trouble, after a while.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "tests/differential/session.hpp"
#include "tests/differential/transcript.hpp"

namespace peal::differential {

struct ServerAddress {
  std::string name;
  uint16_t port = 0;
  bool cut = false;  // Each step's bytes are sent in pieces.
};

class Player;

/// One session on one server.
class Play {
 public:
  /// `session` outlives it.
  Play(Player& player, const Session& session, const ServerAddress& server, size_t account);
  ~Play();

  bool done() const { return phase_ == Phase::done; }
  const Transcript& transcript() const { return transcript_; }

 private:
  friend class Player;
  using Clock = std::chrono::steady_clock;

  enum class Phase : uint8_t { acting, gathering, ending, done };

  struct Peer {
    Play* play = nullptr;
    size_t client = 0;
    int fd = -1;
    bool joined = false;  // Has said something.
    bool greeted = false;
    bool ended = false;
    bool shut = false;  // To be, once all is sent.
    std::string in, out;
    uint64_t pongs = 0, pongs_wanted = 0;
  };

  void begin_step();
  void send_next_piece();
  void on_event(Peer& peer);
  void flush(Peer& peer);
  void receive(Peer& peer);
  void take_replies(Peer& peer);
  void advance();
  void open(Peer& peer);
  void give_up(const std::string& why);
  bool satisfied(const Peer& peer) const {
    return peer.ended || (!peer.shut && peer.out.empty() && peer.pongs >= peer.pongs_wanted);
  }

  Player& player_;
  const Session& session_;
  const ServerAddress& server_;
  size_t account_;
  core::Random cuts_;
  Phase phase_ = Phase::acting;
  size_t step_ = 0;
  std::vector<Peer> peers_;
  std::vector<std::string> pieces_;  // Still to be sent, the last one first.
  Transcript transcript_;
  Clock::time_point progress_ = Clock::now();
};

class Player {
 public:
  Player();
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// The play is the caller's, and outlives its being played.
  void start(Play& play);
  /// Goes on with all plays for a moment; `on_done` is told of those that are over.
  void turn(const std::function<void(Play&)>& on_done);

 private:
  friend class Play;
  using Clock = std::chrono::steady_clock;

  int epoll_ = -1;
  std::list<Play*> plays_;
  Clock::time_point looked_for_trouble_ = Clock::now();
};

}  // namespace peal::differential
