#include "server/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <cxxopts.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "core/log_format.hpp"
#include "server/config_file.hpp"
#include "server/config_keys.hpp"
#include "server/flags.hpp"
#include "server/tls_context.hpp"
#include "server/version.hpp"

namespace peal::server {

// Whatever a control line names must fit a part of each mailbox between shards, so mailboxes grow
// with it.
constexpr uint32_t control_line_bytes_most = 1 << 20;

namespace {

using Refusal = std::optional<std::string>;

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
  for (const Flag& flag : all_flags()) {
    options.add_options()(std::string(flag.names), "", cxxopts::value<std::string>());
  }
  return options;
}

std::optional<std::string> apply_environment(FlagDraft& draft) {
  const char* const features = std::getenv("PEAL_KERNEL_FEATURES");
  if (features == nullptr) return {};
  const Refusal refusal = find_flag("kernel_features")->apply(draft, features);
  return refusal ? "PEAL_KERNEL_FEATURES: " + *refusal : refusal;
}

std::optional<std::string> apply_flags(const cxxopts::ParseResult& parsed, FlagDraft& draft) {
  for (const cxxopts::KeyValue& given : parsed.arguments()) {
    const Flag* const flag = find_flag(given.key());
    if (const Refusal refusal = flag->apply(draft, given.value())) {
      return fmt::format("{}: {}", dashed(canonical_name(flag->names)), *refusal);
    }
  }
  return {};
}

std::optional<std::string> apply_config_file(FlagDraft& draft) {
  ParsedCommand& command = draft.command;
  if (draft.config_file.empty()) return {};
  command.options.config_file = draft.config_file;
  return apply_config(draft.config_file, command.options, command.warnings);
}

// -t is asked before a reload, so it looks at the certificates too.
std::optional<std::string> fault_of_files(const Options& options) {
  for (const auto* const tls : {&options.security.tls, &options.websocket.tls}) {
    if (!*tls) continue;
    auto made = TlsContext::make(**tls);
    if (auto* const error = std::get_if<std::string>(&made)) return std::move(*error);
  }
  return {};
}

// Launchers of test suites read the version from the program that they know as nats-server, and
// ask for features by it.
std::string version_text(std::string_view name) {
  if (name == "nats-server") return fmt::format("{}: v{}", name, nats_version);
  return fmt::format("{}: v{}", program_name, version);
}

/// `name` is the program's, as it was called.
std::optional<std::string> complete(FlagDraft& draft, std::string_view name) {
  ParsedCommand& command = draft.command;
  // Without the signal this would be a server that starts.
  if (command.dry_run && command.signal_name != "reload") {
    return "--dry_run: only with --signal reload";
  }
  switch (command.action) {
    case Action::send_signal:
      return {};
    case Action::run:
      return contradiction_in(command.options);
    case Action::show_help:
      command.message = help_text();
      return {};
    case Action::show_config_keys:
      command.message = config_table();
      command.message.pop_back();  // Whoever prints it ends the line.
      return {};
    case Action::show_tls_keys:
      command.message = block_table("tls");
      command.message.pop_back();
      return {};
    case Action::show_version:
      command.message = version_text(name);
      return {};
    case Action::test_config:
      if (draft.config_file.empty()) return "-t: needs a configuration file; name one with -c";
      command.message =
          fmt::format("configuration file {} is valid", core::printable(draft.config_file));
      if (auto contradiction = contradiction_in(command.options)) return contradiction;
      return fault_of_files(command.options);
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
  FlagDraft wish;
  if (const auto error = apply_flags(parsed, wish)) return *error;
  FlagDraft draft;
  draft.config_file = wish.config_file;
  const bool file_matters =
      wish.command.action == Action::run || wish.command.action == Action::test_config;
  if (const auto error = apply_environment(draft)) return *error;
  if (file_matters) {
    if (const auto error = apply_config_file(draft)) return *error;
  }
  if (const auto error = apply_flags(parsed, draft)) return *error;
  const std::string_view called = argc > 0 ? argv[0] : "";
  if (const auto error = complete(draft, called.substr(called.rfind('/') + 1))) return *error;
  draft.command.arguments.assign(argv, argv + argc);
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
  if (options.monitoring.port != 0 && options.monitoring.https_port != 0) {
    return fmt::format(
        "monitoring over http ({}) and over https ({}) cannot both be there; leave "
        "out one",
        options.monitoring.port, options.monitoring.https_port);
  }
  if (options.monitoring.https_port != 0 && !options.security.tls) {
    return "monitoring over https needs a certificate: a tls block, or --tlscert and --tlskey";
  }
  if (auto contradiction = contradiction_in(options.security)) return contradiction;
  return contradiction_in(options.websocket, options.security);
}

std::optional<Advertised> read_advertised(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const size_t host_end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && host_end == text.npos) return std::nullopt;
  Advertised found{bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end)};
  const std::string_view port =
      host_end == text.npos ? "" : text.substr(host_end + (bracketed ? 1 : 0));
  if (port.empty()) return found;
  const char* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data() + 1, end, found.port);
  const bool is_port = port[0] == ':' && error == std::errc{} && stop == end && found.port >= -1 &&
                       found.port < 65536;
  return is_port ? std::optional(found) : std::nullopt;
}

bool is_syslog_url(std::string_view text) {
  if (!text.starts_with("udp://") && !text.starts_with("tcp://")) return false;
  text.remove_prefix(6);
  const size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return false;
  unsigned port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  return error == std::errc{} && stop == end && port > 0 && port < 65536;
}

}  // namespace peal::server
