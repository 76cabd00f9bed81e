#pragma once
// How a server is configured for a run of sessions, and what a generator must know of that. The
// permissions of the users are by chance, from the setting's seed.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peal::differential {

/// As many sessions can be played at a time where each has an account of its own.
inline constexpr size_t accounts_at_once = 48;
inline constexpr size_t users_per_account = 4;

struct Setting {
  enum class Kind : uint8_t {
    open,         // As it is without a configuration.
    limits,       // Everything small.
    accounts,     // Each session in an account of its own, so that it may subscribe to all.
    permissions,  // And each user with permissions by chance.
  };

  Kind kind = Kind::open;
  uint64_t seed = 0;

  bool has_accounts() const { return kind == Kind::accounts || kind == Kind::permissions; }
  uint32_t payload_bytes_max() const { return kind == Kind::limits ? 100 : 1u << 20; }
  uint32_t control_line_bytes_max() const { return kind == Kind::limits ? 300 : 4096; }
};

std::optional<Setting::Kind> kind_of(std::string_view name);

/// What a user may subscribe to. Nothing in `allow` allows everything; entries may name a queue.
struct SubscribeLists {
  std::vector<std::string> allow, deny;
  bool may_answer = false;  // Whatever it may publish else: allow_responses.
};

/// Whether those lists let a message through; `of_queue` when they have something to say of queues,
/// nobody knows.
bool may_hear(const SubscribeLists& lists, std::string_view subject, bool of_queue);

/// Of each account's users in turn.
std::vector<SubscribeLists> subscribe_lists(const Setting& setting);

/// The configuration file, for nats-server and Peal alike.
std::string config_text(const Setting& setting);

}  // namespace peal::differential
