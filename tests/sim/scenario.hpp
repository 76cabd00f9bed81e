#pragma once
// What one seed is about: how many shards and clients, how little room they have, what they talk
// about. Drawn once; a scenario says all of itself in one line, which a failure prints.

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/sim/chance.hpp"
#include "tests/sim/faults.hpp"

namespace peal::sim {

/// What the clients of a seed mostly do: each brings another part of the server to its limits.
enum class Theme : uint8_t {
  mixed,
  flood,     // Many small messages through mailboxes that hold few.
  queues,    // Members come and go while others publish.
  storm,     // Subscriptions by the hundred, and gone again at once.
  slow,      // Subscribers that do not keep up, and limits that they meet.
  requests,  // Services behind services.
  bulk,      // More than one turn takes from a mailbox.
};

enum class Ending : uint8_t {
  leave,          // Every client goes; then the server has nothing to do and is stopped.
  stop,           // The server is stopped with clients connected.
  stop_in_chaos,  // The same in the midst of everything.
  lame_duck,      // It lets its clients go one by one, then stops by itself.
  lame_duck_in_chaos,
};

struct Scenario {
  uint64_t seed = 0;
  Theme theme = Theme::mixed;
  Ending ending = Ending::leave;
  Faults faults;
  Kernel kernel;

  // The server.
  unsigned shards = 1;
  size_t mailbox_bytes = 1 << 20;
  uint32_t control_line_bytes_max =
      4096;  // A server has mailboxes of eight; here nobody says so much.
  uint32_t recv_cap_bytes = 64 * 1024;
  uint64_t pending_bytes_max = 64 << 20;
  Time write_deadline = 10 * sec;
  Time ping_interval = 120 * sec;
  size_t backlog = 16;
  unsigned connections_max = 65536;
  uint64_t memory_budget_bytes = 0;  // 0: none.
  uint64_t work_per_turn = 0;        // 0: the server's own.

  unsigned completion_entries = 8192;  // Of each shard's queue.
  size_t descriptors_max = 1000;

  // What befalls all of it, in the midst of everything.
  Time hold = 0;       // One shard is not run for so long; 0: all are.
  unsigned leaps = 0;  // Of the clock.
  Time leap_max = 0;
  unsigned storms = 0;    // Most connections are reset at once, and come again.
  bool accounts = false;  // There are users, and a reload changes what they may do.

  // The clients.
  unsigned clients = 10;
  unsigned clients_max = 20;  // With those who come for others that have gone.
  unsigned messages = 50;     // Of one publisher, at most.
  unsigned burst = 30;        // Of those at once, at most.
  unsigned services = 0;
  bool wide_filters = false;  // Somebody may subscribe to everything.
  double large_rate = 0;      // Of payloads.
  size_t payload_bytes_max = 100'000;
  bool frames = false;     // Some clients speak in frames.
  bool narrow = false;     // Kernel buffers of a few bytes; then payloads are small.
  double misbehaving = 0;  // Of clients.
  double leaving = 0;      // Of clients: gone before the end, in one way or another.
  Time chaos = 500 * ms;   // How long things may go on before everybody is asked to finish.

  static Scenario draw(uint64_t seed);
  std::string describe() const;
  /// Nobody who behaves may be cut off: there is room for all of them and for all that they are
  /// sent.
  bool is_ample() const {
    return pending_bytes_max >= 64 << 20 && memory_budget_bytes == 0 && connections_max >= 65536 &&
           faults.no_memory == 0;
  }
};

}  // namespace peal::sim
