#include "server/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cxxopts.hpp>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "server/config_file.hpp"
#include "server/spelling.hpp"
#include "server/version.hpp"

namespace peal::server {

// Whatever a control line names must fit a part of each mailbox between shards, so mailboxes grow
// with it.
constexpr uint32_t control_line_bytes_most = 1 << 20;

namespace {

using Refusal = std::optional<std::string>;

/// What the flags fill in.
struct Draft {
  ParsedCommand command;
  std::string config_file;
};

/// One flag, and everything that is known of it.
struct Flag {
  std::string_view names;       // As cxxopts takes them: short one first.
  std::string_view value_name;  // Empty: a switch.
  std::string_view help;        // Empty: hidden.
  Refusal (*apply)(Draft& draft, std::string_view value);
};

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
Refusal set_text(Draft& draft, std::string_view value) {
  draft.command.options.*member = value;
  return {};
}

template <bool Options::*member>
Refusal set_bool(Draft& draft, std::string_view value) {
  return read_bool(value, draft.command.options.*member);
}

Refusal set_debug_and_trace(Draft& draft, std::string_view value) {
  if (auto refusal = read_bool(value, draft.command.options.debug)) return refusal;
  return read_bool(value, draft.command.options.trace);
}

Refusal set_port(Draft& draft, std::string_view value) {
  int& port = draft.command.options.port;
  if (auto refusal = read_number(value, -1, 65535, port)) return refusal;
  if (port == 0) port = Options{}.port;
  return {};
}

Refusal set_threads(Draft& draft, std::string_view value) {
  return read_number(value, 0, threads_max, draft.command.options.threads);
}

Refusal set_config_file(Draft& draft, std::string_view value) {
  draft.config_file = value;
  return {};
}

template <Action action>
Refusal set_action(Draft& draft, std::string_view value) {
  bool asked = false;
  if (auto refusal = read_bool(value, asked)) return refusal;
  if (asked) draft.command.action = action;
  return {};
}

Refusal set_signal(Draft& draft, std::string_view value) {
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

Refusal set_memory_budget(Draft& draft, std::string_view value) {
  return read_number(value, 0, std::numeric_limits<int64_t>::max(),
                     draft.command.options.memory_budget_bytes);
}

Refusal set_mailbox_bytes(Draft& draft, std::string_view value) {
  return read_number(value, 0, 1 << 30, draft.command.options.mailbox_bytes);
}

Refusal set_kernel_features(Draft& draft, std::string_view value) {
  return read_number(value, 0, UINT32_MAX, draft.command.options.kernel_feature_mask);
}

constexpr Flag flags[] = {
    {"a,addr,net", "HOST", "address to listen on (default: 0.0.0.0)", set_text<&Options::host>},
    {"p,port", "PORT", "port to listen on, -1 for any (default: 4222)", set_port},
    {"n,name,server_name", "NAME", "the server's name (default: its id)",
     set_text<&Options::server_name>},
    {"client_advertise", "HOST:PORT", "address that clients are told to use",
     set_text<&Options::client_advertise>},
    {"threads", "N", "threads that serve (default: one per core allowed)", set_threads},
    {"memory_budget", "BYTES", "what the server may hold (default: 3/4 of what is allowed)",
     set_memory_budget},
    {"c,config", "FILE", "configuration file; flags win over it", set_config_file},
    {"t", "", "test the configuration and exit", set_action<Action::test_config>},
    {"P,pid", "FILE", "write the process id to this file", set_text<&Options::pid_file>},
    {"ports_file_dir", "DIR", "write the ports in use to a file in this directory",
     set_text<&Options::ports_file_dir>},
    {"signal,sl", "SIGNAL[=PID]", "stop, quit, term, ldm, reopen or reload another server",
     set_signal},
    {"l,log", "FILE", "log to this file (default: standard error)", set_text<&Options::log_file>},
    {"T,logtime", "", "stamp each log line with the time (default: true)",
     set_bool<&Options::logtime>},
    {"logtime_utc", "", "in UTC instead of local time", set_bool<&Options::logtime_utc>},
    {"D,debug", "", "log what is needed to find a fault", set_bool<&Options::debug>},
    {"V,trace,VV", "", "log the protocol", set_bool<&Options::trace>},
    {"DV,DVV", "", "both", set_debug_and_trace},
    {"h,help", "", "show this text", set_action<Action::show_help>},
    {"v,version", "", "show the version", set_action<Action::show_version>},
    {"mailbox_bytes", "BYTES", "", set_mailbox_bytes},
    {"kernel_features", "MASK", "", set_kernel_features},
};

// nats-server has these and Peal does not, yet. A flag that is quietly ignored would leave somebody
// with a server less safe than he asked for.
constexpr std::string_view flags_to_come[] = {
    "m,http_port",
    "ms,https_port",
    "s,syslog",
    "r,remote_syslog",
    "log_size_limit",
    "js,jetstream",
    "sd,store_dir",
    "max_traced_msg_len",
    "user",
    "pass",
    "auth",
    "tls",
    "tlscert",
    "tlskey",
    "tlsverify",
    "tlscacert",
    "help_tls",
    "routes",
    "cluster",
    "cluster_listen",
    "cluster_name",
    "no_advertise",
    "connect_retries",
    "cluster_advertise",
    "profile",
};

/// The names of a list such as "p,port", one after the other.
template <typename Use>
void each_name(std::string_view names, Use use) {
  while (!names.empty()) {
    const size_t comma = names.find(',');
    use(names.substr(0, comma));
    names = comma == names.npos ? std::string_view() : names.substr(comma + 1);
  }
}

// --server-name is as good as --server_name.
bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, {}, [](char letter) { return letter == '-' ? '_' : letter; },
      [](char letter) { return letter == '-' ? '_' : letter; });
}

bool has_name(std::string_view names, std::string_view wanted) {
  bool found = false;
  each_name(names, [&](std::string_view name) { found |= same_name(name, wanted); });
  return found;
}

bool is_upper(std::string_view name) {
  return std::ranges::all_of(name, [](char letter) { return letter >= 'A' && letter <= 'Z'; });
}

/// How cxxopts, and our sentences, call a flag: by its first name that is a word.
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
  for (const Flag& flag : flags) {
    if (has_name(flag.names, name)) return &flag;
  }
  return nullptr;
}

std::string unknown_flag(std::string_view name) {
  for (const std::string_view names : flags_to_come) {
    if (has_name(names, name)) return dashed(canonical_name(names)) + ": not supported yet";
  }
  std::vector<std::string_view> known;
  for (const Flag& flag : flags) {
    if (!flag.help.empty())
      each_name(flag.names, [&](auto known_name) { known.push_back(known_name); });
  }
  for (const std::string_view names : flags_to_come) {
    each_name(names, [&](auto known_name) { known.push_back(known_name); });
  }
  const std::string_view closest = closest_name(name, known);
  std::string text = fmt::format("{}: unknown flag", dashed(name));
  if (!closest.empty()) text += fmt::format("; did you mean {}?", dashed(closest));
  return text;
}

// nats-server takes one dash or two before any name, and its switches have names of two letters:
// -port 4222 and -DV. cxxopts would read those as -p ort and -D -V, so it is given only the
// spelling that it knows: --name=true for a switch, --name and the value as two arguments for the
// others.
std::variant<std::vector<std::string>, std::string> normalised(
    std::span<const char* const> arguments) {
  std::vector<std::string> out;
  for (size_t i = 0; i < arguments.size(); i++) {
    const std::string_view argument = arguments[i];
    if (argument == "help" || argument == "version") {
      out.push_back(fmt::format("--{}=true", argument));
      continue;
    }
    if (!argument.starts_with('-') || argument.find_first_not_of('-') == argument.npos) {
      return fmt::format("'{}': every argument is a flag; see --help", argument);
    }
    const std::string_view text = argument.substr(argument.starts_with("--") ? 2 : 1);
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const Flag* const flag = find_flag(name);
    if (flag == nullptr) return unknown_flag(name);

    const std::string canonical = canonical_name(flag->names);
    std::string_view value = equals == text.npos ? "" : text.substr(equals + 1);
    if (flag->value_name.empty()) {
      // A switch takes its value only with '=': the word after it is another flag.
      if (equals == text.npos) value = "true";
    } else if (equals == text.npos) {
      if (++i == arguments.size()) {
        return fmt::format("{}: needs a value ({})", dashed(canonical), flag->value_name);
      }
      value = arguments[i];
    }
    out.push_back((canonical.size() == 1 ? "-" : "--") + canonical);
    out.emplace_back(value);
  }
  return out;
}

cxxopts::Options parser() {
  cxxopts::Options options{std::string(program_name)};
  for (const Flag& flag : flags) {
    options.add_options()(std::string(flag.names), "", cxxopts::value<std::string>());
  }
  return options;
}

// cxxopts would show one name of each flag, and have every switch take a value.
std::string help_text() {
  std::string text = fmt::format(
      "Usage: {} [flags]\n\n"
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

std::optional<std::string> apply_environment(Draft& draft) {
  const char* const features = std::getenv("PEAL_KERNEL_FEATURES");
  if (features == nullptr) return {};
  const Refusal refusal = set_kernel_features(draft, features);
  return refusal ? "PEAL_KERNEL_FEATURES: " + *refusal : refusal;
}

std::optional<std::string> apply_flags(const cxxopts::ParseResult& parsed, Draft& draft) {
  for (const cxxopts::KeyValue& given : parsed.arguments()) {
    const Flag* const flag = find_flag(given.key());
    if (const Refusal refusal = flag->apply(draft, given.value())) {
      return fmt::format("{}: {}", dashed(given.key()), *refusal);
    }
  }
  return {};
}

std::optional<std::string> apply_config_file(Draft& draft) {
  ParsedCommand& command = draft.command;
  if (draft.config_file.empty()) return {};
  command.options.config_file = draft.config_file;
  return apply_config(draft.config_file, command.options, command.warnings);
}

std::optional<std::string> complete(Draft& draft) {
  ParsedCommand& command = draft.command;
  switch (command.action) {
    case Action::run:
    case Action::send_signal:
      return contradiction_in(command.options);
    case Action::show_help:
      command.message = help_text();
      return {};
    case Action::show_version:
      command.message = fmt::format("{}: v{}", program_name, version);
      return {};
    case Action::test_config:
      if (draft.config_file.empty()) return "-t: needs a configuration file; name one with -c";
      command.message =
          fmt::format("{}: configuration file {} is valid", program_name, draft.config_file);
      return contradiction_in(command.options);
  }
  __builtin_unreachable();
}

}  // namespace

std::variant<ParsedCommand, std::string> parse_command_line(int argc, const char* const* argv) {
  const auto skipped = static_cast<size_t>(argc > 0 ? 1 : 0);
  auto arguments = normalised({argv + skipped, static_cast<size_t>(argc) - skipped});
  if (const auto* error = std::get_if<std::string>(&arguments)) return *error;

  std::vector<const char*> pointers{program_name.data()};
  for (const std::string& argument : std::get<0>(arguments)) pointers.push_back(argument.c_str());
  cxxopts::ParseResult parsed;
  try {
    parsed = parser().parse(static_cast<int>(pointers.size()), pointers.data());
  } catch (const cxxopts::exceptions::exception& error) {
    return std::string(error.what());
  }

  // The flags are read twice: once to find the file and the action, and again over what the file
  // says.
  Draft wish;
  if (const auto error = apply_flags(parsed, wish)) return *error;
  Draft draft;
  draft.config_file = wish.config_file;
  const bool file_matters =
      wish.command.action == Action::run || wish.command.action == Action::test_config;
  if (const auto error = apply_environment(draft)) return *error;
  if (file_matters) {
    if (const auto error = apply_config_file(draft)) return *error;
  }
  if (const auto error = apply_flags(parsed, draft)) return *error;
  if (const auto error = complete(draft)) return *error;
  return std::move(draft.command);
}

std::optional<std::string> contradiction_in(const Options& options) {
  const Limits& limits = options.limits;
  if (limits.payload_bytes_max > limits.pending_bytes_max) {
    return fmt::format("max_payload ({}) must not exceed max_pending ({})",
                       limits.payload_bytes_max, limits.pending_bytes_max);
  }
  if (limits.control_line_bytes_max > control_line_bytes_most) {
    return fmt::format("max_control_line ({}) must not exceed {}", limits.control_line_bytes_max,
                       control_line_bytes_most);
  }
  if (options.lame_duck_grace_period >= options.lame_duck_duration) {
    return "lame_duck_grace_period must be shorter than lame_duck_duration";
  }
  return {};
}

}  // namespace peal::server
