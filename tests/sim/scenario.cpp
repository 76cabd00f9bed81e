#include "tests/sim/scenario.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace peal::sim {

namespace {

constexpr std::array<const char*, 7> theme_names = {"mixed", "flood",    "queues", "storm",
                                                    "slow",  "requests", "bulk"};
constexpr std::array<const char*, 5> ending_names = {"leave", "stop", "stop_in_chaos", "lame_duck",
                                                     "lame_duck_in_chaos"};

void draw_server(Scenario& scenario, Chance& chance) {
  static constexpr std::array<unsigned, 8> shards = {1, 2, 2, 2, 3, 3, 4, 4};
  scenario.shards = chance.one_of(shards);
  scenario.recv_cap_bytes = 1u << chance.between(9, 16);
  // Two caps are the least that a mailbox may have; tiny ones are full all the time.
  scenario.mailbox_bytes = scenario.recv_cap_bytes * (chance.percent(50) ? 2u : 16u);
  if (chance.percent(20)) scenario.pending_bytes_max = 1u << chance.between(14, 18);
  scenario.write_deadline = chance.percent(50) ? 10 * sec : chance.between(200, 2000) * ms;
  if (chance.percent(30)) scenario.ping_interval = chance.between(200, 5000) * ms;
  scenario.backlog = static_cast<size_t>(chance.between(1, 32));
  if (chance.percent(4)) scenario.connections_max = static_cast<unsigned>(chance.between(2, 20));
  if (chance.percent(4)) {
    scenario.memory_budget_bytes = static_cast<uint64_t>(chance.between(50'000, 2'000'000));
  }
  if (chance.percent(20)) scenario.ending = static_cast<Ending>(chance.between(1, 4));
}

void draw_clients(Scenario& scenario, Chance& chance) {
  scenario.clients = static_cast<unsigned>(chance.skewed(2, 40));
  scenario.messages = static_cast<unsigned>(chance.skewed(5, 5 + 3000 / scenario.clients));
  scenario.burst = static_cast<unsigned>(chance.skewed(1, 30));
  scenario.services = static_cast<unsigned>(chance.between(0, 4));
  scenario.wide_filters = chance.percent(20);
  // What one seed moves is bounded, so that thousands of them fit into a minute.
  scenario.large_rate = chance.percent(20) ? 8 : 1;
  scenario.payload_bytes_max = scenario.narrow ? 2'000 : chance.percent(30) ? 100'000 : 10'000;
  scenario.misbehaving = chance.percent(50) ? 0 : static_cast<double>(chance.between(0, 30));
  scenario.leaving = chance.percent(30) ? 0 : static_cast<double>(chance.between(0, 60));
  scenario.chaos = chance.between(20, 1000) * ms;
}

void apply_theme(Scenario& scenario, Chance& chance) {
  switch (scenario.theme) {
    case Theme::mixed:
      return;
    case Theme::flood:
      scenario.shards = static_cast<unsigned>(chance.between(2, 4));
      scenario.recv_cap_bytes = 1u << chance.between(9, 10);
      scenario.mailbox_bytes = scenario.recv_cap_bytes * 2;
      scenario.clients = static_cast<unsigned>(chance.between(6, 20));
      scenario.messages = static_cast<unsigned>(chance.between(20, 200));
      scenario.burst = 100;
      if (chance.percent(50)) scenario.faults.shard_pause = 2;
      return;
    case Theme::queues:
      scenario.shards = static_cast<unsigned>(chance.between(2, 4));
      scenario.clients = static_cast<unsigned>(chance.between(4, 24));
      scenario.leaving = static_cast<double>(chance.between(0, 60));
      return;
    case Theme::storm:
      scenario.shards = static_cast<unsigned>(chance.between(2, 4));
      scenario.recv_cap_bytes = 1u << chance.between(9, 12);
      scenario.mailbox_bytes = scenario.recv_cap_bytes * 2;
      scenario.clients = static_cast<unsigned>(chance.between(3, 12));
      scenario.leaving = static_cast<double>(chance.between(0, 80));
      if (chance.percent(50)) scenario.faults.shard_pause = 2;
      return;
    case Theme::slow:
      scenario.pending_bytes_max = chance.percent(50) ? 64u << 20 : 1u << chance.between(14, 17);
      scenario.write_deadline = chance.between(200, 500) * ms;
      scenario.misbehaving = 40;
      scenario.leaving = 10;
      scenario.large_rate = 20;
      scenario.clients = static_cast<unsigned>(chance.between(3, 15));
      return;
    case Theme::bulk:
      scenario.shards = static_cast<unsigned>(chance.between(2, 3));
      scenario.narrow = false;
      scenario.recv_cap_bytes = 64 * 1024;
      scenario.mailbox_bytes = 1 << 20;
      scenario.kernel.receive_buffer_bytes = 1 << 15;
      scenario.payload_bytes_max = 16'000;
      scenario.clients = static_cast<unsigned>(chance.between(4, 8));
      scenario.messages = 80;
      scenario.burst = 40;
      scenario.faults.shard_pause = 2;
      return;
    case Theme::requests:
      scenario.services = static_cast<unsigned>(chance.between(1, 4));
      return;
  }
}

void draw_upheavals(Scenario& scenario, Chance& chance) {
  if (chance.percent(10))
    scenario.hold = chance.percent(50) ? 10 * sec : chance.between(1, 60) * sec;
  if (chance.percent(10)) {
    scenario.leaps = static_cast<unsigned>(chance.between(1, 4));
    scenario.leap_max = chance.percent(50) ? 3600 * sec : 20 * sec;
  }
  if (chance.percent(8)) scenario.storms = static_cast<unsigned>(chance.between(1, 4));
  if (chance.percent(10)) scenario.completion_entries = 1u << chance.between(1, 5);
  if (chance.percent(5)) scenario.descriptors_max = static_cast<size_t>(chance.between(3, 20));
  if (chance.percent(5)) scenario.faults.no_memory = static_cast<double>(chance.between(1, 100));
  scenario.accounts = chance.percent(15);
  scenario.clients_max += scenario.storms * scenario.clients;
}

}  // namespace

Scenario Scenario::draw(uint64_t seed) {
  Chance chance(mix(seed) ^ 0x5ce9a310);
  Scenario scenario;
  scenario.seed = seed;
  scenario.faults = Faults::draw(chance);
  scenario.narrow = chance.percent(40);
  scenario.frames = mix(seed + 1453) % 3 == 0;  // The histories of the others stay as they are.
  if (seed % 5 == 3) scenario.work_per_turn = 1 + mix(seed + 17) % 20;  // The same.
  scenario.kernel.receive_buffers = static_cast<unsigned>(chance.skewed(2, 64));
  scenario.kernel.receive_buffer_bytes =
      size_t{1} << (scenario.narrow ? chance.between(6, 10) : chance.between(10, 15));
  scenario.kernel.ends_at_cap = chance.percent(75);
  draw_server(scenario, chance);
  draw_clients(scenario, chance);
  scenario.theme = chance.percent(40)  ? Theme::mixed
                   : chance.percent(5) ? Theme::bulk
                                       : static_cast<Theme>(chance.between(1, 5));
  apply_theme(scenario, chance);
  scenario.clients_max = scenario.clients + static_cast<unsigned>(chance.skewed(0, 60));
  scenario.payload_bytes_max =
      std::min<size_t>(scenario.payload_bytes_max, scenario.pending_bytes_max / 4);
  draw_upheavals(scenario, chance);
  return scenario;
}

std::string Scenario::describe() const {
  char text[1000];
  std::snprintf(
      text, sizeof text,
      "SEED=%llu shards=%u theme=%s ending=%s clients=%u mailbox=%zu recv_cap=%u buffers=%ux%zu "
      "pending_max=%llu "
      "write_deadline=%lldms ping=%lldms connections_max=%u budget=%llu cap=%s messages=%u "
      "services=%u chaos=%lldms misbehaving=%.0f%% leaving=%.0f%% | short_read=%.0f%% end=%.1f%% "
      "enobufs=%.1f%% short_send=%.0f%% "
      "whole_send=%.0f%% slow=%.0f%% late=%.0f%% accept=%.0f%% pause=%.2f%%<%lldms reset=%.0f%% "
      "no_memory=%.0f%% | hold=%llds leaps=%u<%llds storms=%u cq=%u "
      "descriptors=%zu accounts=%s",
      static_cast<unsigned long long>(seed), shards, theme_names[static_cast<size_t>(theme)],
      ending_names[static_cast<size_t>(ending)], clients, mailbox_bytes, recv_cap_bytes,
      kernel.receive_buffers, kernel.receive_buffer_bytes,
      static_cast<unsigned long long>(pending_bytes_max),
      static_cast<long long>(write_deadline / ms), static_cast<long long>(ping_interval / ms),
      connections_max, static_cast<unsigned long long>(memory_budget_bytes),
      kernel.ends_at_cap ? "ends" : "goes_on", messages, services,
      static_cast<long long>(chaos / ms), misbehaving, leaving, faults.short_read,
      faults.multishot_end, faults.no_buffers, faults.short_send, faults.whole_send,
      faults.slow_step, faults.late_completion, faults.accept_error, faults.shard_pause,
      static_cast<long long>(faults.pause_max / ms), faults.reset, faults.no_memory,
      static_cast<long long>(hold / sec), leaps, static_cast<long long>(leap_max / sec), storms,
      completion_entries, descriptors_max, accounts ? "yes" : "no");
  return text;
}

}  // namespace peal::sim
