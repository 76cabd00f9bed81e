#include "tests/sim/simulation.hpp"

#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <vector>

#include "tests/sim/scripts.hpp"

#if defined(__has_include)
#if __has_include(<sanitizer/common_interface_defs.h>)
#include <sanitizer/common_interface_defs.h>
#endif
#endif

namespace peal::sim {
namespace {

constexpr Time patience = 120 * sec;  // Of the simulated kind, for what must happen in the end.
constexpr uint64_t events_max = 20'000'000;
// Two seconds by the clock of a shard, which may not be run for ten before they begin.
constexpr Time admission_max = 12 * sec;

// ---- The last words of a seed that ends in an assertion or a sanitizer's report.

std::string* words_if_killed = nullptr;
const Trace* trace_if_killed = nullptr;

void say_last_words() {
  if (words_if_killed == nullptr) return;
  std::fprintf(stderr, "\n%s\nlast events:\n%s\n", words_if_killed->c_str(),
               trace_if_killed == nullptr ? "" : trace_if_killed->last(60).c_str());
}

void on_signal(int signal_number) {
  // Not what a handler should do; but the process is lost, and these lines are why it was run.
  say_last_words();
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
}

class LastWords {
 public:
  LastWords(std::string words, const Trace& trace) : words_(std::move(words)) {
    words_if_killed = &words_;
    trace_if_killed = &trace;
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGABRT, &action, &before_abort_);
#ifndef PEAL_SIM_ASAN
    sigaction(SIGSEGV, &action, &before_segv_);
#else
    __sanitizer_set_death_callback(say_last_words);
#endif
  }
  ~LastWords() {
    sigaction(SIGABRT, &before_abort_, nullptr);
#ifndef PEAL_SIM_ASAN
    sigaction(SIGSEGV, &before_segv_, nullptr);
#endif
    words_if_killed = nullptr;
    trace_if_killed = nullptr;
  }
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

 private:
  std::string words_;
  struct sigaction before_abort_ {};
#ifndef PEAL_SIM_ASAN
  struct sigaction before_segv_ {};
#endif
};

// ---- What befalls all at once.

class Upheavals : public Actor {
 public:
  Upheavals(World& world, const Scenario& scenario, ServerUnderTest& server,
            std::vector<std::unique_ptr<Runner>>& runners)
      : world_(world), scenario_(scenario), server_(server), runners_(runners) {
    if (scenario.hold > 0) plan(hold, 1);
    plan(leap, scenario.leaps);
    plan(storm, scenario.storms);
    if (scenario.accounts) plan(change_rules, 8);
  }

  void run(uint32_t what, uint64_t) override {
    if (world_.healed()) return;
    Chance& chance = world_.chance;
    switch (what) {
      case hold:
        return chance.one_of(runners_)->hold(scenario_.hold);
      case leap:
        return leap_by(chance.between(ms, scenario_.leap_max));
      case storm:
        for (uint32_t id = 0; id < world_.links(); id++) {
          Link& link = world_.link(id);
          if (!link.client_gone && chance.percent(90)) world_.reset(link, "a storm");
        }
        return;
      case change_rules:
        return server_.change_rules(chance.percent(60), chance.percent(50));
    }
  }

 private:
  enum What : uint32_t { hold, leap, storm, change_rules };

  // A shard that slept cannot tell a leap that ends soon after its deadline from having slept until
  // then. So whose send was due within the leap may be closed, if he is before it has moved; and
  // who has just come, for not having said who he is.
  void leap_by(Time by) {
    const Time before = world_.now();
    world_.leap(by);
    for (uint32_t id = 0; id < world_.links(); id++) {
      Link& link = world_.link(id);
      if (link.accepted_at != never && before < link.accepted_at + admission_max) {
        link.admission_leapt = true;
      }
      if (link.send_asked == never) continue;
      const Time due = link.send_asked + scenario_.write_deadline;
      if (due > before && due <= world_.now()) link.deadline_leapt = true;
    }
  }

  void plan(What what, unsigned times) {
    for (; times > 0; times--) {
      world_.schedule(world_.now() + world_.chance.between(0, scenario_.chaos), *this, what);
    }
  }

  World& world_;
  const Scenario& scenario_;
  ServerUnderTest& server_;
  std::vector<std::unique_ptr<Runner>>& runners_;
};

// ----

class Simulation {
 public:
  Simulation(const Scenario& scenario, const MakeServer& make_server)
      : scenario_(scenario), world_(scenario.seed, scenario.faults), oracle_(world_) {
    world_.kernel = scenario.kernel;
    world_.descriptors_max = scenario.descriptors_max;
    server_ = make_server(world_, scenario_);
    for (unsigned i = 0; i < server_->shards(); i++) {
      runners_.push_back(std::make_unique<Runner>(world_, server_->shard(i),
                                                  *world_.reactor(server_->reactor_handle(i))));
    }
    stage_ = std::make_unique<Stage>(Stage{world_, oracle_, scenario_, server_->listener(),
                                           scenario_.frames && server_->speaks_frames(),
                                           scenario_.accounts && server_->has_accounts(), false});
    descriptors_at_start_ = world_.descriptors_open();
    oracle_.set_rules([this] { return server_->denial(); });
    upheavals_ = std::make_unique<Upheavals>(world_, scenario_, *server_, runners_);
  }

  void run() {
    chaos();
    switch (scenario_.ending) {
      case Ending::stop_in_chaos:
        return stop(false);
      case Ending::lame_duck_in_chaos:
        return stop(true);
      default:
        break;
    }
    heal();
    late();
    probe();
    settle();
    cut_off();
    oracle_.check_nothing_missing();
    if (scenario_.ending == Ending::leave) leave();
    stop(scenario_.ending == Ending::lame_duck);
  }

  void fill(Outcome& outcome) const {
    outcome.hash = world_.trace.hash();
    outcome.events = world_.events_run();
    outcome.deliveries = oracle_.deliveries();
    outcome.refusals = oracle_.refusals();
    outcome.owed = oracle_.owed_checked();
    for (const auto& runner : runners_) outcome.ticks += runner->ticks();
    server_->count_ways(outcome.ways);
  }
  const Trace& trace() const { return world_.trace; }

 private:
  template <typename Done>
  bool run_until(Time deadline, Done&& done) {
    const Time leapt = world_.leapt();
    while (!done()) {
      if (world_.now() - (world_.leapt() - leapt) >= deadline) return false;
      if (!world_.run_next()) return false;  // All asleep, for ever.
      if (world_.events_run() > events_max) World::fail("liveness", "no end to the events");
    }
    return true;
  }

  void phase(const char* name) { world_.trace.note(world_.now(), Mark::phase, 0, 0, 0, 0, name); }

  void add(std::unique_ptr<Client> client, Time when) {
    clients_.push_back(std::move(client));
    clients_.back()->start(when);
  }

  void chaos() {
    phase("chaos");
    const Time begin = world_.now();
    const Time leapt = world_.leapt();
    const auto end = [&] { return begin + scenario_.chaos + world_.leapt() - leapt; };
    Chance& chance = world_.chance;
    for (unsigned i = 0; i < scenario_.services; i++) {
      if (chance.percent(70)) add(make_service(*stage_, i), begin + world_.delay());
    }
    for (unsigned i = 0; i < scenario_.clients; i++) {
      add(make_client(*stage_), begin + chance.skewed(0, scenario_.chaos / 2));
    }
    // Time is looked at as it passes; clients that are needed to make it pass are not needed to
    // see it end.
    size_t replaced = 0;
    while (true) {
      const bool ended = !run_until(end(), [&] {
        size_t lost = 0;
        bool working = false;
        for (const auto& client : clients_) {
          lost += client->gone() ? 1 : 0;
          working |= !client->script_ended();
        }
        return (lost > replaced && clients_.size() < scenario_.clients_max) || !working;
      });
      if (ended || clients_.size() >= scenario_.clients_max) break;
      replaced++;
      add(make_client(*stage_), world_.now() + world_.delay());
    }
    run_until(end(), [&] {
      for (const auto& client : clients_) {
        if (!client->script_ended()) return false;
      }
      return true;
    });
  }

  void heal() {
    phase("healing");
    world_.heal();
    for (const auto& runner : runners_) runner->release();
    server_->change_rules(false, true);
    stage_->winding_down = true;
    for (const auto& client : clients_) client->on_link_changed();
    flush_all("after the faults");
  }

  void late() {
    phase("late");
    std::vector<Client*> late;
    for (int64_t n = world_.chance.between(2, 8); n > 0; n--) {
      auto client = make_late_client(*stage_);
      late.push_back(client.get());
      add(std::move(client), world_.now() + world_.delay());
    }
    const bool all = run_until(world_.now() + patience, [&] {
      for (const Client* client : late) {
        if (!client->script_ended()) return false;
      }
      return true;
    });
    if (!all) World::fail("liveness", "clients cannot do their work, though nothing is wrong");
    flush_all("when nothing could be slow", sec);
  }

  // Who has read nothing for longer than the deadline is not connected any more.
  void cut_off() {
    const Time limit = scenario_.write_deadline + sec;
    run_until(world_.now() + limit, [] { return false; });
    for (unsigned i = 0; i < server_->shards(); i++) {
      const SimReactor& reactor = *world_.reactor(server_->reactor_handle(i));
      for (const int descriptor : reactor.sends_stuck_since(world_.now() - limit)) {
        if (server_->cuts_off()) {
          World::fail("stuck", "descriptor " + std::to_string(descriptor) +
                                   " takes nothing and is kept all the same");
        }
      }
    }
  }

  void flush_all(const char* when, Time within = patience) {
    for (const auto& client : clients_) {
      if (client->healthy()) client->flush();
    }
    const auto silent = [&] {
      return std::ranges::all_of(
          clients_, [](const auto& client) { return !client->healthy() || client->silent(); });
    };
    const uint64_t stalls_before = server_->stalls();
    if (run_until(world_.now() + within, silent)) return;
    // Over its budget it holds back whoever publishes, for as long as that lasts; and who publishes
    // to one that is behind, half a second at a time.
    const bool holds = server_->over_budget() || server_->stalls() != stalls_before;
    if (holds && run_until(world_.now() + patience, silent)) return;
    std::string who;
    for (const auto& client : clients_) {
      if (client->healthy() && !client->silent()) who += "\n  " + client->describe();
    }
    World::fail("liveness", std::string("a PONG is owed and does not come, ") + when + ":" + who);
  }

  void probe() {
    phase("probe");
    std::vector<Prober*> probers;
    for (unsigned i = 0; i < 2 * server_->shards(); i++) {
      auto prober = Prober::make(*stage_);
      probers.push_back(prober.get());
      add(std::move(prober), world_.now() + world_.delay());
    }
    const bool all = run_until(world_.now() + patience, [&] {
      for (const Prober* prober : probers) {
        if (!prober->script_ended() || (!prober->gone() && !prober->silent())) return false;
      }
      return true;
    });
    if (!all) World::fail("liveness", "newcomers are not served");
    // Where limits are tight a prober may be cut off in the middle of it.
    for (int round = 0; round < 8 && scenario_.is_ample(); round++) {
      rouse(probers);
      hesitate(probers);
    }
  }

  // All is quiet, then a message or a few come at almost the same time. Nobody sends a PING that
  // could rouse a shard by the way.
  void rouse(const std::vector<Prober*>& probers) {
    run_until(world_.now() + world_.chance.between(1, 30) * ms, [] { return false; });
    std::vector<uint32_t> heard;
    for (const Prober* prober : probers) heard.push_back(prober->heard());
    uint32_t spoken = 0;
    for (int64_t n = world_.chance.between(1, 4); n > 0; n--) {
      Prober& speaker = *world_.chance.one_of(probers);
      if (speaker.gone()) continue;
      speaker.speak();
      spoken++;
      run_until(world_.now() + world_.chance.skewed(0, 60 * us), [] { return false; });
    }
    const bool all = run_until(world_.now() + 50 * ms, [&] {
      for (size_t i = 0; i < probers.size(); i++) {
        if (!probers[i]->gone() && probers[i]->heard() < heard[i] + spoken) return false;
      }
      return true;
    });
    if (!all) World::fail("liveness", "a message came, and a shard slept on");
  }

  void hesitate(const std::vector<Prober*>& probers) {
    for (int64_t n = world_.chance.between(1, 4); n > 0; n--) {
      Prober& prober = *world_.chance.one_of(probers);
      if (prober.gone()) continue;
      prober.hesitate();
      run_until(world_.now() + world_.chance.skewed(0, 60 * us), [] { return false; });
    }
    const bool all = run_until(world_.now() + 50 * ms, [&] {
      for (const Prober* prober : probers) {
        if (!prober->gone() && !prober->silent()) return false;
      }
      return true;
    });
    if (!all) World::fail("liveness", "subscriptions came and went, and a PONG waits for them");
  }

  void settle() {
    phase("settling");
    for (size_t before = 0; before != oracle_.messages().size();) {
      before = oracle_.messages().size();
      flush_all("while settling", sec);
    }
    // A queue message on its way from a member that left to another has no PONG to stand before.
    const Time quiet = world_.now() + sec;
    run_until(quiet, [] { return false; });
    flush_all("at the end", sec);
    flush_all("at the end", sec);
  }

  void leave() {
    phase("leaving");
    for (const auto& client : clients_) {
      if (!client->gone()) client->leave();
    }
    const bool all = run_until(world_.now() + patience, [&] {
      return world_.descriptors_open() == descriptors_at_start_ && server_->leftovers().empty();
    });
    if (!all) {
      World::fail("leftovers", std::to_string(world_.descriptors_open() - descriptors_at_start_) +
                                   " descriptors, " + server_->leftovers());
    }
    for (unsigned i = 0; i < server_->shards(); i++) {
      const SimReactor& reactor = *world_.reactor(server_->reactor_handle(i));
      run_until(world_.now() + sec, [&] { return reactor.buffers_in_use() == 0; });
      if (reactor.buffers_in_use() != 0) World::fail("leftovers", "receive buffers");
    }
  }

  // With clients connected or without: the shards end in time, and leave nothing.
  void stop(bool in_peace) {
    phase("stopping");
    oracle_.server_leaves();
    if (!in_peace || !server_->lame_duck()) server_->stop();
    const auto stopped = [&] {
      for (const auto& runner : runners_) {
        if (!runner->stopped()) return false;
      }
      return true;
    };
    if (!world_.healed()) {
      run_until(world_.now() + world_.chance.between(0, 3000) * ms, stopped);
      world_.heal();
      for (const auto& runner : runners_) runner->release();
      stage_->winding_down = true;
    }
    if (!run_until(world_.now() + patience, stopped)) {
      World::fail("liveness", "the server does not stop");
    }
    server_->after_stop();
    if (!server_->leftovers().empty()) World::fail("leftovers", server_->leftovers());
    if (world_.descriptors_open() > 1) World::fail("leftovers", "descriptors");
  }

  Scenario scenario_;
  World world_;
  Oracle oracle_;
  std::unique_ptr<ServerUnderTest> server_;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<Upheavals> upheavals_;
  std::vector<std::unique_ptr<Client>> clients_;
  size_t descriptors_at_start_ = 0;
};

}  // namespace

Outcome simulate(uint64_t seed, const MakeServer& make_server) {
  return simulate(Scenario::draw(seed), make_server);
}

Outcome simulate(const Scenario& scenario, const MakeServer& make_server) {
  Outcome outcome;
  auto simulation = std::make_unique<Simulation>(scenario, make_server);
  const LastWords words(scenario.describe(), simulation->trace());
  try {
    simulation->run();
    simulation->fill(outcome);
  } catch (const Failure& failure) {
    simulation->fill(outcome);
    outcome.kind = failure.kind;
    outcome.failure = scenario.describe() + "\n" + failure.what() + "\nlast events:\n" +
                      simulation->trace().last(60);
    // The failure was thrown through the server; nothing of it can be relied on, its destructors
    // least of all. It stays where it is.
    static std::vector<std::unique_ptr<Simulation>>& abandoned =
        *new std::vector<std::unique_ptr<Simulation>>;
    abandoned.push_back(std::move(simulation));
  }
  return outcome;
}

}  // namespace peal::sim
