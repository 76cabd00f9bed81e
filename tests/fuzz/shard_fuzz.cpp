// A whole server of one shard or two, with four clients who say and do whatever the input has them
// do. It runs in the simulation's world, so there is no kernel, and one input has one history. The
// oracles: nothing crashes or asserts; a pair of clients beside them (shard_pair.hpp) is served as
// if they were not there; when everybody has gone the server holds nothing of them, and it ends
// when it is told to.
//
// The first bytes choose the server and how hostile its kernel is. The rest is what the current
// client says, up to a byte 0xFF, which is followed by one that says what happens next: the act in
// its high half, how or how much in its low half (see Play::act). 0xFF twice is that byte itself.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/reader.hpp"
#include "tests/fuzz/shard_pair.hpp"
#include "tests/sim/peal_server.hpp"
#include "tests/sim/runner.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/simulation.hpp"
#include "tests/sim/world.hpp"

namespace {

using namespace peal::sim;
using peal::fuzz::Pair;
using peal::fuzz::Reader;

constexpr size_t input_bytes_max = 4096;
constexpr size_t said_bytes_max = 32 * 1024;  // With all that is said again.
constexpr size_t links_max = 40;
constexpr uint64_t events_of_play_max = 10'000;
constexpr uint64_t events_max = 500'000;
constexpr Time patience = 120 * sec;  // As in simulation.cpp.
constexpr Time soon = 100 * ms;       // For what nothing can slow down.
constexpr char act_follows = '\xFF';

/// A client of no manners.
class Stranger : public Actor, public LinkClient {
 public:
  Stranger(World& world, int listener) : world_(world), listener_(listener) {}

  void say(std::string_view bytes) {
    if (bytes.empty()) return;
    if (link_ == nullptr && world_.links() < links_max) {
      link_ = world_.connect(listener_, *this, link_bytes, link_bytes);
      out_.clear();
      written_bytes_ = 0;
    }
    if (link_ == nullptr) return;
    out_ += bytes;
    on_link_changed();
  }
  void cut_writes(size_t bytes) { piece_bytes_ = bytes; }
  /// So many bytes more, and then none.
  void read(size_t bytes) {
    read_bytes_left_ = bytes;
    on_link_changed();
  }
  void half_close() {
    if (link_ != nullptr) link_->client_shutdown();
  }
  void be_reset() {
    if (link_ != nullptr) world_.reset(*link_, "the network");
  }
  void close() {
    if (link_ == nullptr) return;
    link_->client_close();
    link_ = nullptr;
  }

  void on_link_changed() override { world_.schedule(world_.now() + world_.delay(), *this, 0); }
  void run(uint32_t, uint64_t) override {
    if (link_ == nullptr) return;
    std::string unseen;
    read_bytes_left_ -= link_->client_read(read_bytes_left_, unseen);
    const size_t count =
        link_->client_write(std::string_view(out_).substr(written_bytes_, piece_bytes_));
    written_bytes_ += count;
    if (link_->client_sees_end()) return close();
    if (count > 0 && written_bytes_ < out_.size()) on_link_changed();
  }

 private:
  static constexpr size_t link_bytes = 4096;

  World& world_;
  const int listener_;
  Link* link_ = nullptr;
  std::string out_;
  size_t written_bytes_ = 0;
  size_t piece_bytes_ = SIZE_MAX;
  size_t read_bytes_left_ = SIZE_MAX;
};

/// From a microsecond to half a minute.
Time time_of(unsigned step) {
  static constexpr std::array<Time, 16> times = {
      us,      5 * us,  20 * us,  50 * us,  200 * us, ms,      3 * ms,   10 * ms,
      30 * ms, 80 * ms, 200 * ms, 500 * ms, sec,      3 * sec, 10 * sec, 30 * sec};
  return times[step % times.size()];
}

Scenario scenario_of(Reader& input) {
  Scenario scenario;
  scenario.seed = input.byte();
  const uint8_t server = input.byte();
  scenario.shards = 1 + (server & 1u);
  scenario.accounts = (server & 2) != 0;
  scenario.kernel.ends_at_cap = (server & 4) == 0;
  static constexpr std::array<uint64_t, 4> pending = {64 << 20, 1 << 14, 1 << 16, 1 << 18};
  scenario.pending_bytes_max = pending[server >> 3 & 3];
  scenario.write_deadline = (server & 32) != 0 ? sec : 10 * sec;
  scenario.ping_interval = (server & 64) != 0 ? 2 * sec : 120 * sec;
  scenario.ending = (server & 128) != 0 ? Ending::lame_duck : Ending::leave;
  const uint8_t room = input.byte();
  scenario.recv_cap_bytes = 1u << (11 + (room & 7) % 6);
  scenario.mailbox_bytes = scenario.recv_cap_bytes * ((room & 8) != 0 ? 16u : 2u);
  // As the server makes it: whatever a control line may name fits half a mailbox.
  scenario.control_line_bytes_max =
      static_cast<uint32_t>(std::min<size_t>(4096, scenario.mailbox_bytes / 8));
  scenario.kernel.receive_buffers = 2 + (room >> 4 & 7) * 4;
  scenario.kernel.receive_buffer_bytes = (room & 128) != 0 ? 4096 : 256;
  return scenario;
}

/// Each bit is a kind of fault, as often as makes it happen in a short history.
Faults faults_of(unsigned kinds) {
  Faults faults;
  const auto take = [&](double& rate, double value) {
    if ((kinds & 1) != 0) rate = value;
    kinds >>= 1;
  };
  take(faults.short_read, 40);
  take(faults.multishot_end, 10);
  take(faults.no_buffers, 10);
  take(faults.short_send, 40);
  take(faults.whole_send, 50);
  take(faults.slow_step, 30);
  take(faults.late_completion, 30);
  take(faults.small_batch, 20);
  take(faults.preemption, 10);
  take(faults.shard_pause, 1);
  take(faults.no_memory, 30);
  faults.pause_max = 200 * ms;
  return faults;
}

class Play {
 public:
  Play(Reader& input, uint64_t secret)
      : scenario_(scenario_of(input)), world_(scenario_.seed), pair_(world_, secret) {
    const unsigned kinds = input.byte();
    faults_ = faults_of(kinds | static_cast<unsigned>(input.byte()) << 8);
    world_.kernel = scenario_.kernel;
    server_ = make_peal_server(world_, scenario_);
    for (unsigned i = 0; i < server_->shards(); i++) {
      runners_.push_back(std::make_unique<Runner>(world_, server_->shard(i), reactor(i)));
    }
    descriptors_at_start_ = world_.descriptors_open();
    for (int i = 0; i < 4; i++) {
      strangers_.push_back(std::make_unique<Stranger>(world_, server_->listener()));
    }
  }

  void run(std::string_view input) {
    if (!pair_.connect(server_->listener())) World::fail("liveness", "nobody can connect");
    must("the pair is served", [&] { return pair_.ready(); });
    world_.faults = faults_;
    pair_is_owed_ = faults_.no_memory == 0;
    if (!pair_is_owed_) pair_.let_go();
    follow(input);
    heal();
    serve_pair(patience);
    if (scenario_.ending == Ending::leave) leave();
    stop();
  }

  const Scenario& scenario() const { return scenario_; }
  const Trace& trace() const { return world_.trace; }

 private:
  SimReactor& reactor(unsigned shard) { return *world_.reactor(server_->reactor_handle(shard)); }
  bool pair_is_excused() const { return !pair_is_owed_ && pair_.ended(); }
  Stranger& current() { return *strangers_[current_]; }

  template <typename Done>
  bool run_for(Time time, uint64_t events, Done&& done) {
    const Time end = world_.now() + time;
    // So that time passes when nothing else happens.
    world_.schedule(end, clock_, 0);
    for (events += world_.events_run(); world_.events_run() < events;) {
      if (done()) return true;
      if (world_.now() >= end || !world_.run_next()) break;
    }
    return done();
  }
  void pass(Time time) {
    if (world_.events_run() >= events_of_play_max) return;
    run_for(time, events_of_play_max - world_.events_run(), [] { return false; });
  }
  template <typename Done>
  void must(const char* what, Done&& done, Time within = patience) {
    if (!run_for(within, events_max, done)) World::fail("liveness", std::string(what) + ", not");
  }

  // ---- What the input says.

  void follow(std::string_view input) {
    while (!input.empty() && world_.events_run() < events_of_play_max) {
      const size_t text = std::min(input.find(act_follows), input.size());
      say(input.substr(0, text), 1);
      input.remove_prefix(std::min(text + 1, input.size()));
      if (input.empty()) return;
      if (input.front() == act_follows) {
        say(input.substr(0, 1), 1);
      } else {
        act(static_cast<uint8_t>(input.front()));
      }
      input.remove_prefix(1);
    }
  }

  void act(uint8_t what) {
    const unsigned how = what & 15;
    pair_.publish();
    switch (what >> 4) {
      case 0:
        current_ = how % strangers_.size();
        return;
      case 1:
        return pass(time_of(how));
      case 2:
        return current().read(how == 15 ? SIZE_MAX : (size_t{1} << how) - 1);
      case 3:
        return end(how);
      case 4:
        return say(said_last_, 1u << how % 11);
      case 5:
        return runners_[how % runners_.size()]->hold(time_of(4 + how / 2));
      case 6:
        return server_->change_rules((how & 1) != 0, (how & 2) != 0);
      case 7:
        return current().cut_writes(how == 15 ? SIZE_MAX : size_t{1} << how);
      case 8:
        world_.faults = (how & 1) != 0 ? Faults{} : faults_;
        return;
      default:  // As the first bytes that a mutation brings, so the most usual act.
        return pass(time_of(how % 8));
    }
  }

  void say(std::string_view bytes, unsigned times) {
    if (bytes.empty()) return;
    if (bytes.data() != said_last_.data()) said_last_ = bytes;
    for (; times > 0 && said_bytes_ + bytes.size() <= said_bytes_max; times--) {
      said_bytes_ += bytes.size();
      current().say(said_last_);
    }
  }

  void end(unsigned how) {
    switch (how % 4) {
      case 0:
        return current().close();
      case 1:
        return current().half_close();
      case 2:
        return current().be_reset();
      case 3:
        for (const auto& stranger : strangers_) stranger->be_reset();
        return;
    }
  }

  // ---- The end.

  void heal() {
    world_.heal();
    for (const auto& runner : runners_) runner->release();
    server_->change_rules(false, true);
  }

  // Shards may be asleep by now, and only a wake tells them of a message.
  void serve_pair(Time within) {
    for (int i = 0; i < 3; i++) {
      pair_.publish();
      must(
          "the pair's messages come", [&] { return pair_.all_came() || pair_is_excused(); },
          within);
    }
  }

  void leave() {
    for (const auto& stranger : strangers_) stranger->close();
    run_for(sec, events_max, [] { return false; });
    serve_pair(soon);
    pair_.close();
    must("the server lets go of those who left", [&] {
      return world_.descriptors_open() == descriptors_at_start_ && server_->leftovers().empty();
    });
    for (unsigned i = 0; i < server_->shards(); i++) {
      must("receive buffers come back", [&] { return reactor(i).buffers_in_use() == 0; });
    }
  }

  void stop() {
    pair_.let_go();
    if (scenario_.ending != Ending::lame_duck || !server_->lame_duck()) server_->stop();
    must("the server stops", [&] {
      return std::ranges::all_of(runners_, [](const auto& runner) { return runner->stopped(); });
    });
    server_->after_stop();
    if (!server_->leftovers().empty()) World::fail("leftovers", server_->leftovers());
    if (world_.descriptors_open() > 1) World::fail("leftovers", "descriptors");
  }

  struct Clock : Actor {
    void run(uint32_t, uint64_t) override {}
  };

  Scenario scenario_;
  Faults faults_;
  World world_;
  Clock clock_;
  Pair pair_;
  std::vector<std::unique_ptr<Stranger>> strangers_;
  std::unique_ptr<ServerUnderTest> server_;
  std::vector<std::unique_ptr<Runner>> runners_;
  size_t descriptors_at_start_ = 0;
  bool pair_is_owed_ = true;
  size_t current_ = 0;
  std::string said_last_;
  size_t said_bytes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > input_bytes_max) return 0;
  uint64_t secret = 0;
  for (size_t i = 0; i < size; i++) secret = mix(secret ^ data[i]);
  Reader input(data, size);
  Play play(input, secret);
  try {
    play.run(input.rest());
  } catch (const Failure& failure) {
    std::fprintf(stderr, "%s\n%s\nlast events:\n%s\n", play.scenario().describe().c_str(),
                 failure.what(), play.trace().last(60).c_str());
    std::abort();
  }
  return 0;
}
