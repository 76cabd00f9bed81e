#include "tests/sim/peal_server.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/ledger.hpp"
#include "core/log.hpp"
#include "core/mesh.hpp"
#include "core/reactor.hpp"
#include "server/server_state.hpp"
#include "server/shard.hpp"
#include "tests/sim/interposed.hpp"

namespace peal::sim {
namespace {

core::Log& silent_log() {
  static const std::unique_ptr<core::Log> log = [] {
    auto opened = core::Log::open({.file = "/dev/null"});
    return std::move(std::get<std::unique_ptr<core::Log>>(opened));
  }();
  return *log;
}

server::Options options_for(const Scenario& scenario) {
  server::Options options;
  options.limits.pending_bytes_max = scenario.pending_bytes_max;
  options.limits.payload_bytes_max = static_cast<uint32_t>(
      std::min<uint64_t>(options.limits.payload_bytes_max, scenario.pending_bytes_max));
  options.limits.control_line_bytes_max = scenario.control_line_bytes_max;
  options.write_deadline = std::chrono::nanoseconds(scenario.write_deadline);
  options.ping_interval = std::chrono::nanoseconds(scenario.ping_interval);
  options.limits.connections_max = scenario.connections_max;
  options.lame_duck_grace_period = std::chrono::milliseconds(500);
  options.lame_duck_duration = std::chrono::seconds(5);
  options.mailbox_bytes = static_cast<uint32_t>(scenario.mailbox_bytes);
  return options;
}

// See identity.hpp.
server::SecurityOptions security_for(bool rex_denied, bool gus_there) {
  server::SecurityOptions options;
  const auto user = [](User who) {
    server::UserOptions made;
    made.name = name_of(who);
    made.password = "x";
    return made;
  };
  server::AccountOptions a, b;
  a.name = account_of(User::ann);
  a.users = {user(User::ann), user(User::rex)};
  if (rex_denied) {
    server::PermissionRules rules;
    rules.publish.deny = rules.subscribe.deny = {std::string(denied_filter)};
    a.users.back().permissions = rules;
  }
  if (gus_there) a.users.push_back(user(User::gus));
  b.name = account_of(User::bob);
  b.users = {user(User::bob)};
  options.accounts = {a, b};
  options.no_auth_user = name_of(User::ann);
  return options;
}

server::Settings settings_for(const Scenario& scenario) {
  server::Settings settings{.options = options_for(scenario)};
  settings.info.server_id = "SIM";
  settings.info.server_name = "sim";
  settings.info.version = "0.0.0";
  settings.info.headers = true;
  settings.info.max_payload = settings.options.limits.payload_bytes_max;
  if (scenario.accounts) {
    settings.options.security = security_for(false, true);
    settings.security = server::Security::make(settings.options.security, nullptr);
  }
  return settings;
}

class PealServer : public ServerUnderTest {
 public:
  PealServer(World& world, const Scenario& scenario)
      : state_(settings_for(scenario), scenario.shards),
        mesh_(scenario.shards, scenario.mailbox_bytes, scenario.mailbox_bytes),
        listener_(world.listen(scenario.backlog)),
        ledger_before_(ledger_of_nobody()) {
    state_.hash_seed = mix(scenario.seed);
    if (scenario.work_per_turn != 0) state_.work_per_turn = scenario.work_per_turn;
    if (scenario.memory_budget_bytes != 0) {
      state_.memory_budget_bytes =
          static_cast<uint64_t>(std::max<int64_t>(0, ledger_before_.total())) +
          scenario.memory_budget_bytes;
    }
    core::ReactorConfig config;
    config.recv_cap_bytes = scenario.recv_cap_bytes;
    config.completion_entries = scenario.completion_entries;
    for (unsigned i = 0; i < scenario.shards; i++) {
      auto made = core::Reactor::create(config);
      reactors_.push_back(std::move(std::get<std::unique_ptr<core::Reactor>>(made)));
    }
    for (unsigned i = 0; i < scenario.shards; i++) {
      shards_.push_back(std::make_unique<Ticking>(static_cast<server::ShardId>(i), state_, mesh_,
                                                  *reactors_[i], mix(scenario.seed + i)));
    }
    shards_[0]->shard.listen(listener_);
    // Some seeds have reloads, and the histories of the others are without.
    const uint64_t lot = mix(scenario.seed + 977);
    if (lot % 4 == 0) {
      shards_[0]->server = this;
      shards_[0]->ticks_per_reload = 5 + lot / 4 % 100;
    }
  }

  ~PealServer() override {
    for (const auto& each : shards_) each->shard.link().discard_inbound();
  }

  unsigned shards() const override { return static_cast<unsigned>(shards_.size()); }
  Tickable& shard(unsigned index) override { return *shards_[index]; }
  int reactor_handle(unsigned index) const override { return reactors_[index]->handle(); }
  int listener() const override { return listener_; }

  std::string leftovers() const override {
    std::string text;
    const auto add = [&](const char* what, int64_t count) {
      if (count != 0) text += std::string(what) + "=" + std::to_string(count) + " ";
    };
    int64_t kept_bytes = 0;  // A shard's own, for its next runs: bounded, and nobody's.
    for (const auto& each : shards_) {
      server::Shard& shard = each->shard;
      kept_bytes += static_cast<int64_t>(shard.router().kept_bytes());
      add("connections", static_cast<int64_t>(shard.connections()));
      add("subscriptions", static_cast<int64_t>(shard.interest().subscriptions()));
    }
    add("placed", state_.connections());
    const auto grown = [&](core::Purpose purpose) {
      return core::ledger().bytes(purpose) - ledger_before_.bytes(purpose);
    };
    add("chunk bytes", grown(core::Purpose::chunks));
    add("payload bytes", grown(core::Purpose::payload) - kept_bytes);
    return text;
  }

  bool cuts_off() const override { return true; }
  bool over_budget() const override {
    return std::ranges::any_of(shards_, [](const auto& each) { return each->shard.over_budget(); });
  }
  void fill_an_index(bool full) override { state_.full_indexes = full ? 1 : 0; }
  uint64_t stalls() const override {
    uint64_t stalls = 0;
    for (const auto& each : shards_) stalls += each->shard.stats().stalls;
    return stalls;
  }
  bool speaks_frames() const override { return true; }
  bool has_accounts() const override { return true; }

  void change_rules(bool rex_denied, bool gus_there) override {
    uint64_t number = 0;
    server::Settings settings = *state_.settings.take(number);
    if (settings.options.security.accounts.empty()) return;
    settings.options.security = security_for(rex_denied, gus_there);
    settings.security = server::Security::make(settings.options.security, settings.security.get());
    state_.settings.publish(std::move(settings));
    rules_number_ = state_.settings.number();
    rex_denied_ = rex_denied;
    rule_changes_++;
    for (const auto& reactor : reactors_) reactor->notify();
  }

  uint64_t denial() const override {
    if (!rex_denied_) return 0;
    for (const auto& each : shards_) {
      if (each->settings_seen < rules_number_) return 0;
    }
    return rules_number_;
  }

  void count_ways(std::map<std::string, uint64_t>& ways) const override {
    ways["reloads"] += reloads_;
    ways["changes of rules"] += rule_changes_;
    ways["no memory"] += blocks_refused();
    for (const auto& each : shards_) {
      const server::ShardStats& stats = each->shard.stats();
      ways["messages to shards"] += stats.messages_to_shards;
      ways["parked"] += stats.parked;
      ways["fences waited"] += stats.fences_waited;
      ways["stalls"] += stats.stalls;
      ways["holds"] += stats.holds;
      ways["lent turns"] += stats.lent_turns;
      ways["slow turns"] += stats.slow_turns;
      ways["publishes denied"] += stats.publishes_denied;
      ways["subscriptions denied"] += stats.subscriptions_denied;
      ways["completion overflows"] += each->shard.reactor().stats().completion_overflows;
      ways["receive starved"] += stats.receive_starved;
      ways["no responders"] += stats.no_responders;
      ways["queue rerouted"] += stats.queue_rerouted;
      ways["queue unclaimed"] += stats.queue_unclaimed;
      ways["side list dropped"] += stats.side_list_dropped;
      ways["queue groups dropped"] += stats.queue_groups_dropped;
      ways["accept errors"] += stats.accept_errors;
      for (size_t reason = 0; reason < server::close_reasons; reason++) {
        ways["closed: " + std::string(text_of(static_cast<server::CloseReason>(reason)))] +=
            stats.closed[reason];
      }
    }
  }

  void after_stop() override {
    for (const auto& each : shards_) each->shard.link().discard_inbound();
  }
  void stop() override { enter(server::Phase::stopping); }
  bool lame_duck() override {
    enter(server::Phase::lame_duck);
    return true;
  }

 private:
  // What the last world's interest took is no memory of this one: a budget that counted it would
  // make one seed play differently after another.
  static core::LedgerPage ledger_of_nobody() {
    core::ledger().set(core::Purpose::interest, 0);
    return core::ledger();
  }

  void enter(server::Phase phase) {
    state_.phase.store(phase);
    for (const auto& reactor : reactors_) reactor->notify();
  }

  // As an operator does who cannot leave his file alone: between two turns of one shard, in the
  // midst of those of others. Each time clients are told something new.
  void reload() {
    uint64_t number = 0;
    server::Settings settings = *state_.settings.take(number);
    settings.info.server_name = "sim-" + std::to_string(number + 1);
    settings.options.ping_interval =
        settings.options.ping_interval * (number % 2 == 0 ? 2 : 1) / (number % 2 == 0 ? 1 : 2);
    state_.settings.publish(std::move(settings));
    reloads_++;
    for (const auto& reactor : reactors_) reactor->notify();
  }

  struct Ticking : Tickable {
    Ticking(server::ShardId id, server::ServerState& state_, core::Mesh& mesh,
            core::Reactor& reactor, uint64_t seed)
        : state(state_), shard(id, state_, mesh, reactor, silent_log(), seed) {}
    bool tick() override {
      const uint64_t settings_now = state.settings.number();
      const bool goes_on = shard.tick();
      settings_seen = settings_now;
      if (ticks_per_reload != 0 && ++ticks % ticks_per_reload == 0) server->reload();
      return goes_on;
    }
    int64_t next_deadline_ns() const override { return shard.next_deadline_ns(); }
    uint64_t work_done() const override { return shard.budget().spent(); }
    server::ServerState& state;
    uint64_t settings_seen = 0;  // All that it does from now on is by these or later ones.
    mutable server::Shard shard;
    PealServer* server = nullptr;
    uint64_t ticks_per_reload = 0;  // 0: never.
    uint64_t ticks = 0;
  };

  server::ServerState state_;
  core::Mesh mesh_;
  const int listener_;
  const core::LedgerPage ledger_before_;
  std::vector<std::unique_ptr<core::Reactor>> reactors_;
  std::vector<std::unique_ptr<Ticking>> shards_;
  uint64_t reloads_ = 0;
  uint64_t rules_number_ = 0;
  bool rex_denied_ = false;
  uint64_t rule_changes_ = 0;
};

}  // namespace

std::unique_ptr<ServerUnderTest> make_peal_server(World& world, const Scenario& scenario) {
  return std::make_unique<PealServer>(world, scenario);
}

}  // namespace peal::sim
