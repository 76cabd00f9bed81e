#include "tools/bench/args.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cxxopts.hpp>
#include <limits>
#include <string_view>

#include "protocol/subject.hpp"
#include "tools/bench/flag_reader.hpp"
#include "tools/bench/stamp.hpp"
#include "tools/bench/version.hpp"

namespace peal::bench {
namespace {

struct CommandFacts {
  Command command;
  const char* name;
  const char* help;
};

constexpr CommandFacts commands[] = {
    {Command::pub, "pub", "publish only"},
    {Command::sub, "sub", "subscribe and count, until --msgs, --duration or Ctrl-C"},
    {Command::pubsub, "pubsub", "publishers and subscribers in one: fan, pairs or queue group"},
    {Command::request, "request", "requesters, each waiting for its replies"},
    {Command::service, "service", "responders, until --msgs, --duration or Ctrl-C"},
    {Command::reqreply, "reqreply", "requesters and responders in one"},
    {Command::latency, "latency", "latency at a fixed rate, counted from when each was due"},
    {Command::connections, "connections", "--idle N, --churn RATE or --storm N"},
    {Command::soak, "soak", "a rate held for a time, every message numbered and checksummed"},
    {Command::report, "report", "FILE... -o OUT.html: compare runs that were kept with --json"},
};

// What holds where neither was said. 100,000 connections are what one address has ports for, with
// room to spare; the others keep a mistyped number from eating the machine.
constexpr uint64_t default_messages = 1'000'000;
constexpr double default_duration_s = 5;
constexpr double default_soak_s = 10;
constexpr double default_rate = 10'000;
constexpr uint32_t connections_max = 100'000;
constexpr uint32_t subjects_max = 1'000'000;
constexpr uint32_t threads_max = 256;
constexpr uint32_t headers_max = 1000;
constexpr size_t size_bytes_max = 64 << 20;
constexpr uint32_t burst_max = 1'000'000;
constexpr double duration_s_min = 1e-3;

cxxopts::Options flags() {
  cxxopts::Options all("peal-bench", "Load for a NATS server, and what came of it.\n");
  const auto text = [] { return cxxopts::value<std::string>(); };
  all.add_options("How much")("n,msgs", "messages, of all publishers together (default: 1M)",
                              text(), "N")("d,duration", "how long instead, as 10s, 500ms or 2m",
                                           text(), "TIME")(
      "r,rate", "messages a second, of all publishers together (default: no limit)", text(), "N")(
      "burst", "each publisher's so many at a time, at the same rate (default: 1)", text(), "N")(
      "w,warmup", "how long to run before measuring", text(), "TIME");
  all.add_options("What")("size", "bytes of payload (default: 128)", text(), "BYTES")(
      "headers", "headers of each message (default: 0)", text(), "N")(
      "binary", "in frames instead of lines (Peal's binary/1)")(
      "subjects", "publish on so many subjects in turn, up to 1M", text(), "N")(
      "zipf", "pick among them with this skew instead (1 is the classic)", text(), "S")(
      "subject-prefix", "first tokens of every subject (default: bench)", text(), "SUBJECT")(
      "seed", "for all that is picked at random (default: 1)", text(), "N");
  all.add_options("Who")("s,server", "nats://[user:pass@]host:port, several with commas", text(),
                         "URL")("tls", "speak TLS; tls:// asks for it as well")(
      "tlsca", "believe who is vouched for by this", text(), "FILE")(
      "tlscert", "our certificate", text(), "FILE")("tlskey", "its key", text(), "FILE")(
      "tlsinsecure", "believe whoever answers")("pubs", "publishers or requesters (default: 1)",
                                                text(), "N")(
      "subs", "subscribers or responders (default: 1)", text(), "N")(
      "fan", "every subscriber gets everything (this is the default)")(
      "pairs", "publisher i is heard by subscriber i alone")(
      "queue", "subscribers share the messages as a queue group", text(), "NAME")(
      "wildcard", "subscribe with a wildcard")(
      "subscriptions", "of each subscriber, literal (default: 1)", text(), "N")(
      "inflight", "requests that each requester has out at once (default: 1)", text(), "N")(
      "threads", "for each side (default: one a connection, up to 16)", text(), "N");
  all.add_options("Connections")("idle", "open so many and hold them for --duration", text(), "N")(
      "churn", "connect and leave again, so many a second", text(), "RATE")(
      "storm", "open so many, drop all at once, and reconnect", text(), "N");
  all.add_options("Results")("pid", "the server's process, on this machine: its CPU and memory",
                             text(), "PID")("name", "what to call this run", text(), "NAME")(
      "json", "write the run as JSON, - for standard output", text(), "FILE")(
      "csv", "append the run to a table, - for standard output", text(), "FILE")(
      "report", "write a page with plots, or add the run to one", text(), "FILE")(
      "o,out", "report: where the page goes", text(), "FILE")(
      "q,quiet", "no progress bar; there is none either when not on a terminal")(
      "v,version", "show which one this is")("h,help", "show this text");
  all.add_options("hidden")("positional", "", cxxopts::value<std::vector<std::string>>());
  all.parse_positional("positional");
  all.positional_help("");
  all.custom_help("COMMAND [options]");
  return all;
}

std::string help_text(const cxxopts::Options& all) {
  std::string text = "Commands:\n";
  for (const CommandFacts& facts : commands) {
    text += fmt::format("  {:<12} {}\n", facts.name, facts.help);
  }
  return all.help({"How much", "What", "Who", "Connections", "Results"}) + "\n" + text;
}

// A library's sentence, in our words' shape.
std::string one_line(std::string sentence) {
  std::replace(sentence.begin(), sentence.end(), '\n', ' ');
  for (const std::string_view quote : {"\u2018", "\u2019"}) {
    for (size_t at; (at = sentence.find(quote)) != sentence.npos;) {
      sentence.replace(at, quote.size(), "'");
    }
  }
  return sentence;
}

void read_flags(FlagReader& read, Options& out) {
  constexpr uint64_t any = uint64_t{1} << 53;  // What a double holds exactly.
  read.number("msgs", 1, any, out.messages);
  read.time("duration", out.duration_s);
  read.time("warmup", out.warmup_s);
  read.real("rate", out.rate);
  read.number("burst", 1, burst_max, out.burst);
  read.number("size", 0, size_bytes_max, out.size_bytes);
  read.number("headers", 0, headers_max, out.headers);
  read.flag("binary", out.binary);
  read.number("subjects", 1, subjects_max, out.subjects);
  read.real("zipf", out.zipf);
  read.words("subject-prefix", out.subject_prefix);
  read.number("seed", 0, any, out.seed);
  read.number("pubs", 1, connections_max, out.publishers);
  read.number("subs", 1, connections_max, out.subscribers);
  read.flag("pairs", out.pairs);
  read.words("queue", out.queue);
  read.flag("wildcard", out.wildcard);
  read.number("subscriptions", 1, subjects_max, out.subscriptions);
  read.number("inflight", 1, 10'000, out.in_flight);
  read.number("threads", 1, threads_max, out.threads);
  read.number("idle", 1, connections_max, out.idle);
  read.real("churn", out.churn);
  read.number("storm", 1, connections_max, out.storm);
  read.number("pid", 1, std::numeric_limits<int32_t>::max(), out.server_pid);
  read.words("name", out.name);
  read.text("json", out.json_file);
  read.text("csv", out.csv_file);
  read.text("report", out.html_file);
  read.text("out", out.html_file);
  read.flag("quiet", out.quiet);
}

Refusal read_tls(FlagReader& read, TlsChoice& out) {
  read.flag("tls", out.wanted);
  read.text("tlsca", out.ca_file);
  read.text("tlscert", out.cert_file);
  read.text("tlskey", out.key_file);
  read.flag("tlsinsecure", out.insecure);
  if (out.cert_file.empty() != out.key_file.empty()) return "--tlscert and --tlskey go together";
  out.wanted = out.wanted || out.insecure || !out.ca_file.empty() || !out.cert_file.empty();
  return {};
}

/// Nothing else goes to standard output beside what is asked for there.
Refusal check_standard_output(const Options& out) {
  const std::string* const files[] = {&out.json_file, &out.csv_file, &out.html_file};
  const auto count = std::ranges::count_if(
      files, [](const std::string* file) { return *file == standard_output; });
  if (count > 1) return "--json, --csv and --report: only one of them can be -";
  return {};
}

Refusal check_connections(const Options& out) {
  const int modes = int(out.idle > 0) + int(out.churn > 0) + int(out.storm > 0);
  if (modes != 1) return "connections needs one of --idle N, --churn RATE and --storm N";
  return {};
}

Refusal check_flow(const FlagReader& read, const Options& out) {
  if (out.pairs && read.given("fan")) return "--fan and --pairs exclude each other";
  if (out.pairs && !out.queue.empty()) return "--pairs and --queue exclude each other";
  if (out.zipf > 0 && out.subjects == 1) return "--zipf needs --subjects";
  if (out.burst > 1 && out.rate == 0) return "--burst needs --rate";
  if (out.wildcard && out.subscriptions > 1) {
    return "--wildcard and --subscriptions exclude each other";
  }
  if (out.command == Command::soak) {
    if (!out.queue.empty()) return "soak follows every subscriber, so there is no --queue";
    if (out.subscriptions > 1)
      return "soak follows one subscription, so there is no --subscriptions";
  }
  return {};
}

/// What a subcommand does with a flag is nothing at all: somebody would believe a figure that is
/// not what was asked for.
Refusal check_use(const FlagReader& read, Command command) {
  const auto is_one_of = [command](std::initializer_list<Command> of) {
    return std::find(of.begin(), of.end(), command) != of.end();
  };
  const bool requests = is_one_of({Command::request, Command::service, Command::reqreply});
  const bool publishes =
      is_one_of({Command::pub, Command::pubsub, Command::latency, Command::soak});
  const bool subscribes =
      is_one_of({Command::sub, Command::pubsub, Command::latency, Command::soak});
  const bool connects = command == Command::connections;
  const struct {
    const char* flag;
    bool used;
  } uses[] = {
      {"rate", publishes},
      {"burst", publishes},
      {"headers", publishes},
      {"binary", publishes || subscribes || requests},
      {"subjects", publishes || subscribes},
      {"zipf", publishes},
      {"warmup", publishes || requests},
      {"msgs", !connects},
      {"size", publishes || requests},
      {"pubs", publishes || command == Command::request || command == Command::reqreply},
      {"subs", subscribes || command == Command::service || command == Command::reqreply},
      {"fan", publishes || subscribes},
      {"pairs", publishes || subscribes},
      {"queue", subscribes || requests},
      {"wildcard", publishes || subscribes},
      {"subscriptions", subscribes || connects},
      {"inflight", command == Command::request || command == Command::reqreply},
      {"idle", connects},
      {"churn", connects},
      {"storm", connects},
      {"out", command == Command::report},
  };
  for (const auto& use : uses) {
    if (read.given(use.flag) && !use.used) {
      return fmt::format("{} takes no --{}", name_of(command), use.flag);
    }
  }
  return {};
}

Refusal fill_and_check(const FlagReader& read, Options& out) {
  if (auto refusal = check_use(read, out.command)) return refusal;
  if (read.given("duration") && out.duration_s < duration_s_min) {
    return "--duration: less than 1ms is no time to measure in";
  }
  if (out.messages > 0 && out.duration_s > 0) return "--msgs and --duration exclude each other";
  if (auto refusal = check_standard_output(out)) return refusal;
  if (!protocol::is_valid_literal(out.subject_prefix)) {
    return fmt::format("--subject-prefix: '{}' is no subject to publish on", out.subject_prefix);
  }
  if (out.subject_prefix.find_first_of(" \t\r\n") != std::string::npos) {
    return "--subject-prefix: a subject has no blanks";
  }
  if (out.queue.find_first_of(" \t\r\n") != std::string::npos) {
    return "--queue: a name has no blanks";
  }
  if (out.pairs) {
    if (read.given("subs") && read.given("pubs") && out.subscribers != out.publishers) {
      return "--pairs needs as many --subs as --pubs";
    }
    out.publishers = out.subscribers = std::max(out.publishers, out.subscribers);
  }

  const bool bounded = out.messages > 0 || out.duration_s > 0;
  switch (out.command) {
    case Command::pub:
    case Command::pubsub:
      if (!bounded) out.messages = default_messages;
      return check_flow(read, out);
    case Command::sub:
    case Command::service:
      return check_flow(read, out);
    case Command::request:
    case Command::reqreply:
      if (!bounded) out.duration_s = default_duration_s;
      return {};
    case Command::latency:
      if (!bounded) out.duration_s = default_duration_s;
      if (out.rate == 0) out.rate = default_rate;
      if (out.size_bytes < due_bytes) {
        return fmt::format("--size: latency needs {} bytes for the time it was due", due_bytes);
      }
      return check_flow(read, out);
    case Command::soak:
      if (!bounded) out.duration_s = default_soak_s;
      if (out.rate == 0) out.rate = default_rate;
      if (out.size_bytes < seal_bytes) {
        return fmt::format("--size: soak needs {} bytes for number, time and checksum", seal_bytes);
      }
      return check_flow(read, out);
    case Command::connections:
      if (!bounded) out.duration_s = default_duration_s;
      return check_connections(out);
    case Command::report:
      if (out.report_files.empty()) return "report needs the JSON files of one run or more";
      if (out.html_file.empty()) return "report needs -o OUT.html";
      return {};
  }
  __builtin_unreachable();
}

Refusal read_command(const std::vector<std::string>& words, Options& out) {
  for (const CommandFacts& facts : commands) {
    if (words[0] != facts.name) continue;
    out.command = facts.command;
    if (facts.command == Command::report) {
      out.report_files.assign(words.begin() + 1, words.end());
    } else if (words.size() > 1) {
      return fmt::format("'{}' is one word too many: flags begin with --", words[1]);
    }
    return {};
  }
  return fmt::format("'{}' is no command: peal-bench --help lists them", words[0]);
}

}  // namespace

const char* name_of(Command command) {
  for (const CommandFacts& facts : commands) {
    if (facts.command == command) return facts.name;
  }
  return "";
}

std::variant<Options, Help, std::string> parse_command_line(int argc, const char* const* argv) {
  cxxopts::Options all = flags();
  try {
    const cxxopts::ParseResult found = all.parse(argc, argv);
    if (found.count("help") != 0) return Help{help_text(all)};
    if (found.count("version") != 0) return Help{fmt::format("{}: v{}\n", program_name, version)};
    if (found.count("positional") == 0) {
      return std::string("no command was given: peal-bench --help lists them");
    }
    Options out;
    if (auto refusal = read_command(found["positional"].as<std::vector<std::string>>(), out)) {
      return *refusal;
    }
    std::string servers = "127.0.0.1:4222";
    FlagReader read(found);
    read_flags(read, out);
    read.text("server", servers);
    const Refusal tls_refusal = read_tls(read, out.tls);
    if (read.refusal()) return *read.refusal();
    if (tls_refusal) return *tls_refusal;
    auto urls = parse_server_urls(servers);
    if (auto* error = std::get_if<std::string>(&urls)) return "--server: " + *error;
    out.servers = std::get<std::vector<ServerUrl>>(std::move(urls));
    const auto is_tls = [](const ServerUrl& url) { return url.tls; };
    out.tls.wanted = out.tls.wanted || std::ranges::any_of(out.servers, is_tls);
    if (auto refusal = fill_and_check(read, out)) return *refusal;
    return out;
  } catch (const cxxopts::exceptions::exception& error) {
    return one_line(error.what());
  }
}

}  // namespace peal::bench
