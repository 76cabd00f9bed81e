#pragma once
// One client of the simulated server: a connection, what is still to be written, the replies that
// came, and habits, good or bad. What it says is its script's business (scripts.hpp); that all of
// it is true to the protocol and known to the oracle is this class's.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "tests/sim/frames.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/reply_reader.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

enum class Reading : uint8_t { prompt, slow, stuck };
enum class Leaving : uint8_t { close, half_close };

struct Habits {
  PartyOptions options;
  bool says_connect = true;  // If not, what a server assumes of it holds: verbose, no headers.
  Reading reading = Reading::prompt;
  size_t slow_bytes = 1000;  // Every slow_every; when stuck, how many it reads before it stops.
  Time slow_every = ms;
  double cuts_writes = 0;  // Percentage of writes that end anywhere.
  double cuts_reads = 0;
  Time think_max = ms;     // Between two steps of its script.
  bool winds_down = true;  // Stops when everybody is asked to.
  Time leaves_at = never;
  Leaving leaves_how = Leaving::close;
  size_t up_bytes = 64 * 1024;
  size_t down_bytes = 64 * 1024;
};

/// What all clients of a simulation share.
struct Stage {
  World& world;
  Oracle& oracle;
  const Scenario& scenario;
  int listener;
  bool frames = false;        // Every second client speaks in frames.
  bool accounts = false;      // Clients have to say who they are.
  bool winding_down = false;  // Nobody begins anything new.
};

class Client : public Actor, public LinkClient {
 public:
  Client(Stage& stage, const Habits& habits);

  void start(Time when) { plan(when); }
  void run(uint32_t what, uint64_t argument) override;
  void on_link_changed() override { plan(stage_.world.now() + stage_.world.delay()); }

  const Party& party() const { return party_; }
  bool gone() const { return gone_; }
  unsigned pings_asked() const { return pings_asked_; }  // By the server.
  bool script_ended() const { return gone_ || script_ended_; }
  /// It reads, answers and may be asked to flush.
  bool healthy() const { return !gone_ && !said_end_ && habits_.reading != Reading::stuck; }
  bool silent() const { return out_.size() == out_head_ && party_.pings.empty(); }

  void flush();  // A PING; silent() says when its PONG has come.
  void leave();
  /// Where it stands, for the report of one that hangs.
  std::string describe() const;

 protected:
  Subscription& sub(std::string_view filter, std::string_view queue = {},
                    std::string_view sid = {});
  void unsub(Subscription& subscription, uint32_t max = 0);
  Message& pub(std::string subject, size_t payload_bytes, std::string reply = {},
               bool with_headers = false);
  void raw(std::string_view bytes);  // Nothing that the oracle would want to know.

  /// The next step. False when there is none.
  virtual bool act() = 0;
  virtual void on_message(const Message&, Subscription&) {}
  virtual void on_refusal(const Message&, Subscription&) {}
  /// True for a client that the server has every right to refuse.
  virtual bool babbles() const { return false; }

  Chance& chance() { return stage_.world.chance; }
  Stage& stage_;
  Party& party_;
  Habits habits_;

 private:
  void plan(Time when);
  void plan_next();
  void connect();
  void read();
  void take(const Reply& reply);
  void take_message(Reply reply);
  std::optional<Reply> next_reply();
  void pub_frame(const Message& message);
  bool extends_batch(const Message& message);
  void write();
  void command(std::string_view text, std::string_view more, uint32_t number);
  void end(Gone how);

  struct Mark_ {
    uint64_t end;
    uint32_t command;
  };

  Link* link_ = nullptr;
  ReplyReader replies_;
  std::string out_;
  size_t out_head_ = 0;
  uint64_t out_written_ = 0;  // Since the beginning.
  std::deque<Mark_> marks_;   // Where commands end, counted alike.
  uint64_t read_bytes_ = 0;
  Time planned_ = never;  // Leaps of the clock not counted.
  uint64_t plan_ = 0;
  Time act_at_ = 0;
  Time read_at_ = 0;
  uint32_t next_sid_ = 1;

  bool framed_ = false;     // It asks for frames.
  bool in_frames_ = false;  // And has been told that they follow.
  FrameReader frames_;
  std::map<std::string, std::string, std::less<>> filters_;  // By sid; each sid is for one.
  std::map<std::string, uint32_t> aliases_;
  struct Batch {
    uint64_t at = UINT64_MAX;  // Where its frame begins, counted as marks are.
    std::string subject;
    size_t size = 0;
  } batch_;
  unsigned pings_asked_ = 0;
  bool gone_ = false;
  bool said_end_ = false;
  bool script_ended_ = false;
};

}  // namespace peal::sim
