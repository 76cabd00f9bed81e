#include "server/flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "server/config_number.hpp"
#include "server/name_list.hpp"
#include "server/spelling.hpp"
#include "server/version.hpp"

namespace peal::server {

namespace {

using Refusal = std::optional<std::string>;

template <typename Number>
Refusal read_number(std::string_view text, int64_t lowest, int64_t highest, Number& out) {
  const bool hexadecimal = text.starts_with("0x");
  const std::string_view digits = hexadecimal ? text.substr(2) : text;
  int64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number, hexadecimal ? 16 : 10);
  if (error != std::errc{} || stop != end) return fmt::format("'{}' is not a number", text);
  if (number < lowest || number > highest) {
    return fmt::format("{} is not between {} and {}", text, lowest, highest);
  }
  out = static_cast<Number>(number);
  return {};
}

Refusal read_bool(std::string_view text, bool& out) {
  for (const std::string_view yes : {"true", "True", "TRUE", "t", "T", "1"}) {
    if (text == yes) return out = true, std::nullopt;
  }
  for (const std::string_view no : {"false", "False", "FALSE", "f", "F", "0"}) {
    if (text == no) return out = false, std::nullopt;
  }
  return fmt::format("'{}' is neither true nor false", text);
}

template <std::string Options::*member>
Refusal set_text(FlagDraft& draft, std::string_view value) {
  draft.command.options.*member = value;
  return {};
}

Refusal set_host(FlagDraft& draft, std::string_view value) {
  if (!value.empty()) draft.command.options.host = value;
  return {};
}

template <bool Options::*member>
Refusal set_bool(FlagDraft& draft, std::string_view value) {
  return read_bool(value, draft.command.options.*member);
}

Refusal set_debug_and_trace(FlagDraft& draft, std::string_view value) {
  if (auto refusal = read_bool(value, draft.command.options.debug)) return refusal;
  return read_bool(value, draft.command.options.trace);
}

Refusal set_port(FlagDraft& draft, std::string_view value) {
  int& port = draft.command.options.port;
  if (auto refusal = read_number(value, -1, 65535, port)) return refusal;
  if (port == 0) port = Options{}.port;
  return {};
}

Refusal set_http_port(FlagDraft& draft, std::string_view value) {
  return read_number(value, -1, 65535, draft.command.options.monitoring.port);
}

Refusal set_https_port(FlagDraft& draft, std::string_view value) {
  return read_number(value, -1, 65535, draft.command.options.monitoring.https_port);
}

Refusal set_stats_interval(FlagDraft& draft, std::string_view value) {
  const auto interval = config_duration(std::string(value));
  if (!interval || interval->count() < 0) {
    return fmt::format("'{}' is no time; write it as 10s or 5m", value);
  }
  draft.command.options.stats_interval = *interval;
  return {};
}

Refusal set_threads(FlagDraft& draft, std::string_view value) {
  return read_number(value, 0, threads_max, draft.command.options.threads);
}

Refusal set_config_file(FlagDraft& draft, std::string_view value) {
  draft.config_file = value;
  return {};
}

template <Action action>
Refusal set_action(FlagDraft& draft, std::string_view value) {
  bool asked = false;
  if (auto refusal = read_bool(value, asked)) return refusal;
  if (asked) {
    draft.command.action = action;
  } else if (draft.command.action == action) {
    draft.command.action = Action::run;
  }
  return {};
}

Refusal set_signal(FlagDraft& draft, std::string_view value) {
  const size_t equals = value.find('=');
  const std::string_view name = value.substr(0, equals);
  static constexpr std::string_view known[] = {"stop", "quit", "term", "ldm", "reopen", "reload"};
  for (const std::string_view candidate : known) {
    if (name != candidate) continue;
    draft.command.action = Action::send_signal;
    draft.command.signal_name = name;
    if (equals != value.npos) draft.command.signal_target = value.substr(equals + 1);
    return {};
  }
  return fmt::format("'{}' is none of stop, quit, term, ldm, reopen, reload", name);
}

Refusal set_memory_budget(FlagDraft& draft, std::string_view value) {
  return read_number(value, 0, std::numeric_limits<int64_t>::max(),
                     draft.command.options.memory_budget_bytes);
}

Refusal set_busy_poll(FlagDraft& draft, std::string_view value) {
  return read_number(value, 0, busy_poll_us_max, draft.command.options.busy_poll_us);
}

Refusal set_mailbox_bytes(FlagDraft& draft, std::string_view value) {
  return read_number(value, 0, 1 << 30, draft.command.options.mailbox_bytes);
}

Refusal set_kernel_features(FlagDraft& draft, std::string_view value) {
  return read_number(value, 0, UINT32_MAX, draft.command.options.kernel_feature_mask);
}

template <auto member, int64_t highest>
Refusal set_number(FlagDraft& draft, std::string_view value) {
  return read_number(value, 0, highest, draft.command.options.*member);
}

Refusal set_server_name(FlagDraft& draft, std::string_view value) {
  if (value.find(' ') != value.npos) return "a server's name has no blanks";
  return set_text<&Options::server_name>(draft, value);
}

Refusal set_remote_syslog(FlagDraft& draft, std::string_view value) {
  if (!value.empty() && !is_syslog_url(value)) {
    return fmt::format("'{}' is not udp://HOST:PORT or tcp://HOST:PORT", value);
  }
  return set_text<&Options::remote_syslog>(draft, value);
}

Refusal set_client_advertise(FlagDraft& draft, std::string_view value) {
  if (!read_advertised(value)) return fmt::format("'{}' is not HOST:PORT", value);
  return set_text<&Options::client_advertise>(draft, value);
}

Refusal set_dry_run(FlagDraft& draft, std::string_view value) {
  return read_bool(value, draft.command.dry_run);
}

// What means nothing to a server that is alone, in nats-server as well. What is no value there is
// none here.
Refusal warn_no_cluster(FlagDraft& draft, std::string_view) {
  draft.command.warnings.push_back("flags about clusters have no effect: there is no cluster");
  return {};
}

Refusal warn_no_advertise(FlagDraft& draft, std::string_view value) {
  bool wanted = false;
  if (auto refusal = read_bool(value, wanted)) return refusal;
  return warn_no_cluster(draft, value);
}

Refusal warn_no_retries(FlagDraft& draft, std::string_view value) {
  int64_t retries = 0;
  if (auto refusal = read_number(value, INT64_MIN, INT64_MAX, retries)) return refusal;
  return warn_no_cluster(draft, value);
}

Refusal warn_no_store(FlagDraft& draft, std::string_view) {
  draft.command.warnings.push_back("--store_dir has no effect: nothing is stored");
  return {};
}

Refusal warn_no_profile(FlagDraft& draft, std::string_view value) {
  int port = 0;
  if (auto refusal = read_number(value, -1, 65535, port)) return refusal;
  draft.command.warnings.push_back("--profile has no effect: it is for Go; use perf");
  return {};
}

template <std::string SecurityOptions::*member>
Refusal set_secret(FlagDraft& draft, std::string_view value) {
  draft.command.options.security.*member = value;
  return {};
}

TlsOptions& tls_of(FlagDraft& draft) {
  auto& tls = draft.command.options.security.tls;
  if (!tls) tls.emplace();
  if (tls->certificates.empty()) tls->certificates.emplace_back();
  return *tls;
}

Refusal set_tls(FlagDraft& draft, std::string_view value) {
  bool wanted = false;
  if (auto refusal = read_bool(value, wanted)) return refusal;
  if (wanted) tls_of(draft);
  return {};
}

template <std::string CertificatePair::*member>
Refusal set_tls_file(FlagDraft& draft, std::string_view value) {
  tls_of(draft).certificates.front().*member = value;
  return {};
}

Refusal set_tls_ca(FlagDraft& draft, std::string_view value) {
  tls_of(draft).ca_file = value;
  return {};
}

Refusal set_tls_verify(FlagDraft& draft, std::string_view value) {
  bool wanted = false;
  if (auto refusal = read_bool(value, wanted)) return refusal;
  if (wanted || draft.command.options.security.tls) tls_of(draft).verify = wanted;
  return {};
}

// What nats-server has and Peal has not, yet. A flag that is quietly ignored would leave somebody
// with a server less safe than he asked for; one that asks for nothing is granted.
Refusal refuse(FlagDraft&, std::string_view value) {
  bool wanted = true;
  if (value.empty() || (!read_bool(value, wanted) && !wanted)) return {};
  return "not supported yet";
}

constexpr Flag flags[] = {
    {"a,addr,net", "HOST", "address to listen on (default: 0.0.0.0)", set_host},
    {"p,port", "PORT", "port to listen on, -1 for any (default: 4222)", set_port},
    {"n,name,server_name", "NAME", "the server's name (default: its id)", set_server_name},
    {"client_advertise", "HOST:PORT", "address that clients are told to use", set_client_advertise},
    {"listen_unix", "PATH", "a Unix domain socket to listen on as well",
     set_text<&Options::listen_unix>},
    {"threads", "N", "threads that serve (default: one per core allowed)", set_threads},
    {"busy_poll_us", "N", "look for work so long before going to sleep (default: 0)",
     set_busy_poll},
    {"memory_budget", "BYTES", "what the server may hold (default: 3/4 of what is allowed)",
     set_memory_budget},
    {"c,config", "FILE", "configuration file; flags win over it", set_config_file},
    {"t", "", "test the configuration and exit", set_action<Action::test_config>},
    {"m,http_port", "PORT", "port of monitoring, -1 for any (default: none)", set_http_port},
    {"ms,https_port", "PORT", "the same over TLS, with the certificate of --tls", set_https_port},
    {"stats_interval", "TIME", "between lines of totals in the log, such as 1m (default: none)",
     set_stats_interval},
    {"P,pid", "FILE", "write the process id to this file", set_text<&Options::pid_file>},
    {"ports_file_dir", "DIR", "write the ports in use to a file in this directory",
     set_text<&Options::ports_file_dir>},
    {"user", "NAME", "the one user who may connect", set_secret<&SecurityOptions::user>},
    {"pass", "PASSWORD", "his password, or its bcrypt hash (see peal-server passwd)",
     set_secret<&SecurityOptions::password>},
    {"auth", "TOKEN", "the token that clients must show", set_secret<&SecurityOptions::token>},
    {"tls", "", "speak TLS with clients; needs --tlscert and --tlskey", set_tls},
    {"tlscert", "FILE", "the server's certificate, and those that lead to its CA",
     set_tls_file<&CertificatePair::certificate_file>},
    {"tlskey", "FILE", "the key of the certificate", set_tls_file<&CertificatePair::key_file>},
    {"tlsverify", "", "clients must show a certificate", set_tls_verify},
    {"tlscacert", "FILE", "the CA whose clients are believed", set_tls_ca},
    {"run_as", "USER[:GROUP]", "become this user once ports and files are open",
     set_text<&Options::run_as>},
    {"signal,sl", "SIGNAL[=PID]", "stop, quit, term, ldm, reopen or reload another server",
     set_signal},
    {"dry_run", "", "with --signal reload: only show what would change", set_dry_run},
    {"l,log", "FILE", "log to this file (default: standard error)", set_text<&Options::log_file>},
    {"log_size_limit", "BYTES", "begin a new log file at this size (default: unlimited)",
     set_number<&Options::logfile_bytes_max, int64_t{1} << 40>},
    {"s,syslog", "", "log to the system's log", set_bool<&Options::syslog>},
    {"r,remote_syslog", "URL", "log to another machine: udp://HOST:PORT or tcp://HOST:PORT",
     set_remote_syslog},
    {"T,logtime", "", "stamp each log line with the time (default: true)",
     set_bool<&Options::logtime>},
    {"logtime_utc", "", "in UTC instead of local time", set_bool<&Options::logtime_utc>},
    {"D,debug", "", "log what is needed to find a fault", set_bool<&Options::debug>},
    {"V,trace,VV", "", "log the protocol", set_bool<&Options::trace>},
    {"DV,DVV", "", "both", set_debug_and_trace},
    {"max_traced_msg_len", "BYTES", "of a message in that log (default: what a line holds)",
     set_number<&Options::traced_message_bytes_max, INT32_MAX>},
    {"h,help", "", "show this text", set_action<Action::show_help>},
    {"help_tls", "", "show the keys of the tls block", set_action<Action::show_tls_keys>},
    {"help_config", "", "show all keys of the configuration file",
     set_action<Action::show_config_keys>},
    {"v,version", "", "show the version", set_action<Action::show_version>},
    {"mailbox_bytes", "BYTES", "", set_mailbox_bytes},
    {"kernel_features", "MASK", "", set_kernel_features},
    {"no_advertise", "", "", warn_no_advertise},
    {"cluster_advertise", "HOST:PORT", "", warn_no_cluster},
    {"cluster_name", "NAME", "", warn_no_cluster},
    {"connect_retries", "N", "", warn_no_retries},
    {"sd,store_dir", "DIR", "", warn_no_store},
    {"profile", "PORT", "", warn_no_profile},
    {"js,jetstream", "", "", refuse},
    {"routes", "URLS", "", refuse},
    {"cluster", "URL", "", refuse},
    {"cluster_listen", "URL", "", refuse},
};

bool is_upper(std::string_view name) {
  return std::ranges::all_of(name, [](char letter) { return letter >= 'A' && letter <= 'Z'; });
}

}  // namespace

std::span<const Flag> all_flags() { return flags; }

std::string canonical_name(std::string_view names) {
  std::string canonical;
  each_name(names, [&](std::string_view name) {
    if (canonical.size() <= 2 && name.size() > canonical.size()) canonical = name;
  });
  return canonical;
}

std::string dashed(std::string_view name) {
  const bool is_word = name.size() > 1 && !is_upper(name);
  return fmt::format("{}{}", is_word ? "--" : "-", name);
}

const Flag* find_flag(std::string_view name) {
  std::string wanted(name);
  std::ranges::replace(wanted, '-', '_');  // --server-name is as good as --server_name.
  for (const Flag& flag : flags) {
    if (has_name(flag.names, wanted)) return &flag;
  }
  return nullptr;
}

std::string unknown_flag(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Flag& flag : flags) {
    each_name(flag.names, [&](auto known_name) { known.push_back(known_name); });
  }
  const std::string_view closest = closest_name(name, known);
  std::string text = fmt::format("{}: unknown flag", dashed(name));
  if (!closest.empty()) text += fmt::format("; did you mean {}?", dashed(closest));
  return text;
}

// cxxopts would show one name of each flag, and have every switch take a value.
std::string help_text() {
  std::string text = fmt::format(
      "Usage: {0} [flags]\n"
      "       {0} passwd [--cost N]    make a bcrypt hash of a password\n\n"
      "One dash or two before any name; a value after '=' or as the next argument.\n\n",
      program_name);
  for (const Flag& flag : flags) {
    if (flag.help.empty()) continue;
    std::string left;
    each_name(flag.names, [&](std::string_view name) {
      left += fmt::format("{}{}", left.empty() ? "" : ", ", dashed(name));
    });
    if (!flag.value_name.empty()) left += fmt::format(" {}", flag.value_name);
    text += fmt::format("  {:<36} {}\n", left, flag.help);
  }
  text.pop_back();
  return text;
}

}  // namespace peal::server
