#pragma once
// What the operator asked for: the command line and the configuration file, checked, as one value.
// It knows names, numbers and units; it must never know a descriptor, a thread or a connection.
//
// Options are a value, and never change: a reload makes others, which take their place.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/security_options.hpp"
#include "server/websocket_options.hpp"

namespace peal::server {

/// More threads than this would spend the machine on mailboxes, of which there is one for each
/// ordered pair. A number of taste: no machine that was measured wants as many.
inline constexpr unsigned threads_max = 256;

/// To poll for longer than a second without any work is to poll always.
inline constexpr uint32_t busy_poll_us_max = 1'000'000;

/// What one client may use. The defaults are nats-server's; zero means unlimited where it says so.
struct Limits {
  uint32_t control_line_bytes_max = 4096;
  uint32_t payload_bytes_max = 1u << 20;
  uint64_t pending_bytes_max = 64u << 20;
  uint32_t connections_max = 65536;
  uint32_t subscriptions_max = 0;        // A connection's. 0: unlimited.
  uint32_t subscription_tokens_max = 0;  // 0: unlimited.
};

/// Where a listener listens besides the first: "host:port", resolved when the server starts.
struct ListenAddress {
  std::string host;
  int port = 4222;  // -1: any free port.
  bool operator==(const ListenAddress&) const = default;
};

/// How the server is watched. Nothing listens unless a port is given.
struct Monitoring {
  std::string host;                      // Empty: the one that clients connect to.
  int port = 0;                          // 0: off; -1: any free port.
  int https_port = 0;                    // The same, with TLS; one of the two at most.
  std::string base_path;                 // In front of every path; empty or like "/nats".
  std::string user, password, token;     // Who may look; empty: everybody.
  uint32_t closed_clients_max = 10'000;  // That are remembered.
};

struct Options {
  using Duration = std::chrono::nanoseconds;

  std::string host = "0.0.0.0";
  int port = 4222;                         // -1: any free port.
  std::string server_name;                 // Empty: the server's id.
  std::vector<ListenAddress> listen_also;  // The rest of a list of addresses.
  std::string listen_unix;                 // The path of a Unix domain socket; empty: none.
  uint32_t listen_unix_mode = 0660;
  std::string listen_unix_owner;  // As core::find_owner() has it; empty: whoever we run as.
  bool proxy_protocol = false;    // A TCP connection may begin with a PROXY header.
  std::string client_advertise;   // Empty: nothing but the address that clients came by.
  unsigned threads = 0;           // 0: one per core of the CPU allowance.

  bool debug = false;
  bool trace = false;
  bool trace_headers = false;  // Of a message only these.
  bool logtime = true;
  bool logtime_utc = false;
  bool log_json = false;
  std::string log_file;                   // Empty: standard error.
  uint64_t logfile_bytes_max = 0;         // Then a new one is begun. 0: no limit.
  uint32_t logfiles_max = 0;              // The one in use among them. 0: no limit.
  bool syslog = false;                    // The system's log instead of a file.
  std::string remote_syslog;              // "udp://host:514" or "tcp://host:601"; empty: none.
  uint32_t traced_message_bytes_max = 0;  // 0: as much as fits into a line.
  std::string pid_file;
  std::string ports_file_dir;
  std::string config_file;  // Where these options came from, for the log.

  Limits limits;
  Monitoring monitoring;
  Duration stats_interval{};  // Between lines of totals in the log; 0: none.
  Duration ping_interval = std::chrono::minutes(2);
  int ping_max = 2;
  Duration write_deadline = std::chrono::seconds(10);
  Duration lame_duck_duration = std::chrono::minutes(2);
  Duration lame_duck_grace_period = std::chrono::seconds(10);
  Duration slow_turn = std::chrono::milliseconds(100);  // Of a shard; 0: none is.
  bool no_header_support = false;

  SecurityOptions security;
  WebSocketOptions websocket;
  std::string run_as;  // USER or USER:GROUP, once everything is open. Empty: who started it.

  uint64_t memory_budget_bytes = 0;  // 0: three quarters of the memory allowance.
  uint32_t busy_poll_us = 0;         // An idle shard looks for work so long before it sleeps.

  // For tests, and for an operator who was asked to try something. Hidden from --help.
  uint32_t mailbox_bytes = 0;  // 0: the mesh's own choice.
  uint32_t kernel_feature_mask =
      ~0u;  // core::Feature bits that may be used when the kernel has them.
};

enum class Action {
  run,
  show_help,
  show_config_keys,
  show_tls_keys,
  show_version,
  test_config,
  send_signal
};

struct ParsedCommand {
  Action action = Action::run;
  Options options;
  std::string message;                 // What to print: help, version, the verdict on the file.
  std::string signal_name;             // For send_signal: stop, quit, term, ldm, reopen or reload.
  std::string signal_target;           // A process id or a pid file; empty: the only peal-server.
  bool dry_run = false;                // For a reload: only say what would change.
  std::vector<std::string> arguments;  // The command line, for a reload.
  std::vector<std::string> warnings;   // To be logged once there is a log.
};

/// Reads the command line and the configuration file that it names. Flags win over the file. The
/// error is one sentence.
std::variant<ParsedCommand, std::string> parse_command_line(int argc, const char* const* argv);

/// What no single option can know of itself, such as that a message must fit into what may wait.
/// Nothing if the options agree with each other.
std::optional<std::string> contradiction_in(const Options& options);

/// Where clients are told to find us. The host lies in the text that it was read from, without the
/// brackets of an IPv6 address; a port of 0 or -1 is the one that we listen on.
struct Advertised {
  std::string_view host;
  int port = 0;
};
/// Nothing when `text` is neither HOST nor HOST:PORT.
std::optional<Advertised> read_advertised(std::string_view text);

/// Whether `text` is udp://HOST:PORT or tcp://HOST:PORT.
bool is_syslog_url(std::string_view text);

}  // namespace peal::server
