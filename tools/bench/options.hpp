#pragma once
// What was asked for, checked. It knows numbers and names; how it is done is each subcommand's.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/server_url.hpp"
#include "tools/bench/tls.hpp"

namespace peal::bench {

enum class Command : uint8_t {
  pub,
  sub,
  pubsub,
  request,
  service,
  reqreply,
  latency,
  connections,
  soak,
  report,
};

struct Options {
  Command command = Command::pubsub;
  std::vector<ServerUrl> servers;
  TlsChoice tls;

  // How much. A zero is "not given", once the defaults of the subcommand are filled in.
  uint64_t messages = 0;  // Of all publishers or requesters together.
  double duration_s = 0;
  double warmup_s = 0;
  double rate = 0;     // Messages a second, of all publishers together.
  uint32_t burst = 1;  // How many of a publisher are due at once.

  // What.
  size_t size_bytes = 128;
  uint32_t headers = 0;
  bool binary = false;  // In frames, not in lines.
  uint32_t subjects = 1;
  double zipf = 0;  // Skew; 0 is uniform.
  std::string subject_prefix = "bench";
  uint32_t first_channel = 1000;  // The token after the prefix; that of the first pair.
  uint64_t seed = 1;

  // Who.
  uint32_t publishers = 1;
  uint32_t subscribers = 1;
  uint32_t threads = 0;  // For each side; 0 is a choice by the number of connections.
  bool pairs = false;
  bool wildcard = false;
  std::string queue;
  uint32_t subscriptions = 1;  // Of each subscriber.
  uint32_t in_flight = 1;      // Requests of each requester.

  // Connections: what is to be done with them; 0 is nothing.
  uint32_t idle = 0;
  uint32_t storm = 0;
  double churn = 0;  // Connections a second.

  // What is said of it.
  uint32_t server_pid = 0;
  std::string name;
  std::string json_file, csv_file, html_file;
  bool quiet = false;
  std::vector<std::string> report_files;
};

/// As the name of a file.
inline constexpr std::string_view standard_output = "-";

const char* name_of(Command command);

}  // namespace peal::bench
