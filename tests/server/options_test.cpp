#include "server/options.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace peal::server {
namespace {

using Arguments = std::vector<const char*>;

std::variant<ParsedCommand, std::string> parse(Arguments arguments) {
  arguments.insert(arguments.begin(), "peal-server");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

ParsedCommand accepted(const Arguments& arguments) {
  auto parsed = parse(arguments);
  if (const auto* error = std::get_if<std::string>(&parsed)) FAIL(*error);
  return std::get<ParsedCommand>(std::move(parsed));
}

std::string refused(const Arguments& arguments) {
  const auto parsed = parse(arguments);
  REQUIRE(std::holds_alternative<std::string>(parsed));
  return std::get<std::string>(parsed);
}

TEST_CASE("options: without arguments they are nats-server's") {
  const Options options = accepted({}).options;
  CHECK(options.host == "0.0.0.0");
  CHECK(options.port == 4222);
  CHECK(options.limits.payload_bytes_max == 1024 * 1024);
  CHECK(options.limits.pending_bytes_max == 64 * 1024 * 1024);
  CHECK(options.logtime);
  CHECK_FALSE(options.debug);
}

TEST_CASE("options: every spelling of a flag is the same flag") {
  const std::vector<Arguments> spellings = {
      {"-p", "4333"},     {"-p=4333"},       {"--p", "4333"},
      {"--p=4333"},       {"-port", "4333"}, {"-port=4333"},
      {"--port", "4333"}, {"--port=4333"},   {"-p", "1", "-p", "4333"},
  };
  for (const Arguments& spelling : spellings) {
    CAPTURE(spelling[0]);
    CHECK(accepted(spelling).options.port == 4333);
  }
  for (const char* name : {"-a", "-addr", "--addr", "-net", "--net"}) {
    CAPTURE(name);
    CHECK(accepted({name, "127.0.0.1"}).options.host == "127.0.0.1");
  }
  for (const char* name : {"-n", "--name", "-server_name", "--server-name"}) {
    CAPTURE(name);
    CHECK(accepted({name, "bell"}).options.server_name == "bell");
  }
}

TEST_CASE("options: a port of -1 is any port, and 0 is the usual one") {
  CHECK(accepted({"-p", "-1"}).options.port == -1);
  CHECK(accepted({"-p=-1"}).options.port == -1);
  CHECK(accepted({"-p", "0"}).options.port == 4222);
}

TEST_CASE("options: switches") {
  struct Case {
    const char* argument;
    bool debug, trace;
  };
  const Case cases[] = {
      {"-D", true, false},      {"--debug", true, false},   {"-V", false, true},
      {"--trace", false, true}, {"-VV", false, true},       {"-DV", true, true},
      {"-DVV", true, true},     {"-D=false", false, false}, {"--debug=true", true, false},
  };
  for (const Case& one : cases) {
    CAPTURE(one.argument);
    const Options options = accepted({one.argument}).options;
    CHECK(options.debug == one.debug);
    CHECK(options.trace == one.trace);
  }
  CHECK_FALSE(accepted({"-T=false"}).options.logtime);
  CHECK(accepted({"--logtime_utc"}).options.logtime_utc);
  CHECK(accepted({"-D", "-p", "4333"}).options.port == 4333);
}

TEST_CASE("options: values are taken as they are") {
  CHECK(accepted({"--name="}).options.server_name.empty());
  CHECK(accepted({"--name", ""}).options.server_name.empty());
  CHECK(accepted({"--name", "a=b,c"}).options.server_name == "a=b,c");
  CHECK(accepted({"--name=a=b"}).options.server_name == "a=b");
  CHECK(accepted({"-l", "-odd-name"}).options.log_file == "-odd-name");
  CHECK(accepted({"-P", "/run/peal.pid"}).options.pid_file == "/run/peal.pid");
  CHECK(accepted({"--ports_file_dir", "/run"}).options.ports_file_dir == "/run");
  CHECK(accepted({"--client_advertise", "bell:1"}).options.client_advertise == "bell:1");
  CHECK(accepted({"--threads", "4"}).options.threads == 4);
  CHECK(accepted({"--kernel_features=0x2"}).options.kernel_feature_mask == 2);
  CHECK(accepted({"--memory_budget", "1000000000000"}).options.memory_budget_bytes ==
        1'000'000'000'000);
}

TEST_CASE("options: help and version, as flags and as words") {
  for (const char* word : {"-h", "-help", "--help", "help"}) {
    CAPTURE(word);
    const ParsedCommand command = accepted({word});
    CHECK(command.action == Action::show_help);
    for (const char* flag : {"--port", "--addr", "--config", "--threads", "-D", "--signal"}) {
      CHECK(command.message.find(flag) != std::string::npos);
    }
    CHECK(command.message.find("kernel_features") == std::string::npos);
  }
  for (const char* word : {"-v", "--version", "version"}) {
    CAPTURE(word);
    const ParsedCommand command = accepted({word});
    CHECK(command.action == Action::show_version);
    CHECK(command.message == "peal-server: v0.1.0");
  }
}

TEST_CASE("options: who knows the program as nats-server reads the version that it answers to") {
  const char* const arguments[] = {"/usr/bin/nats-server", "-v"};
  const auto parsed = parse_command_line(2, arguments);
  REQUIRE(std::holds_alternative<ParsedCommand>(parsed));
  CHECK(std::get<ParsedCommand>(parsed).message == "nats-server: v2.15.1");
}

TEST_CASE("options: a switch that is off switches nothing on") {
  CHECK(accepted({"-t=false"}).action == Action::run);
  CHECK(accepted({"-h=false"}).action == Action::run);
  CHECK(accepted({"-v", "--version=false"}).action == Action::run);
  CHECK(accepted({"-t=false", "-v"}).action == Action::show_version);
  CHECK_FALSE(accepted({"--tlsverify=false"}).options.security.tls);
  CHECK_FALSE(accepted({"--tls=false"}).options.security.tls);
}

TEST_CASE("options: --help_tls shows the keys of the tls block, and no others") {
  const ParsedCommand command = accepted({"-help_tls"});
  CHECK(command.action == Action::show_tls_keys);
  CHECK(command.message.find("`tls.cert_file`") != std::string::npos);
  CHECK(command.message.find("max_payload") == std::string::npos);
}

TEST_CASE("options: signals") {
  const ParsedCommand ldm = accepted({"--signal", "ldm=1234"});
  CHECK(ldm.action == Action::send_signal);
  CHECK(ldm.signal_name == "ldm");
  CHECK(ldm.signal_target == "1234");
  CHECK(accepted({"-sl", "stop"}).signal_name == "stop");
  CHECK(accepted({"-sl=reopen=/run/peal.pid"}).signal_target == "/run/peal.pid");
  CHECK(refused({"-sl", "dance"}) ==
        "--signal: 'dance' is none of stop, quit, term, ldm, reopen, reload");
}

TEST_CASE("options: where to log") {
  CHECK(accepted({"-s"}).options.syslog);
  CHECK(accepted({"-r", "udp://log:514"}).options.remote_syslog == "udp://log:514");
  CHECK(refused({"-r", "log:514"}) ==
        "--remote_syslog: 'log:514' is not udp://HOST:PORT or tcp://HOST:PORT");
  CHECK(accepted({"--log_size_limit", "1000"}).options.logfile_bytes_max == 1000);
  CHECK(accepted({"-max_traced_msg_len=9"}).options.traced_message_bytes_max == 9);
}

TEST_CASE("options: what only a cluster or a store could use is taken with a warning") {
  for (const char* flag :
       {"--no_advertise=true", "--cluster_name=c", "-sd=/tmp/x", "--profile=9"}) {
    CAPTURE(flag);
    CHECK(accepted({flag}).warnings.size() == 1);
  }
  CHECK(refused({"--connect_retries=x"}) == "--connect_retries: 'x' is not a number");
  CHECK(refused({"--no_advertise=x"}) == "--no_advertise: 'x' is neither true nor false");
  CHECK(refused({"--profile=99999"}) == "--profile: 99999 is not between -1 and 65535");
}

TEST_CASE("options: what nats-server has and Peal has not is refused by its name") {
  CHECK(refused({"-js"}) == "--jetstream: not supported yet");
  CHECK(refused({"--jetstream"}) == "--jetstream: not supported yet");
  CHECK(refused({"-m", "x"}) == "--http_port: 'x' is not a number");
  CHECK(refused({"-ms=8222"}) ==
        "monitoring over https needs a certificate: a tls block, or --tlscert and --tlskey");
  CHECK(refused({"-ms=8222", "-m=8223", "--tls", "--tlscert=c", "--tlskey=k"}) ==
        "monitoring over http (8223) and over https (8222) cannot both be there; leave out one");
  CHECK(refused({"--tls"}).starts_with("tls needs a certificate and its key"));
  CHECK(refused({"--routes=nats://a:1"}) == "--routes: not supported yet");
  for (const char* nothing : {"-js=false", "-ms=0", "--routes=", "--cluster=", "-r="}) {
    CAPTURE(nothing);
    accepted({nothing});
  }
}

TEST_CASE("options: what is wrong is said in one sentence") {
  CHECK(refused({"--prot", "1"}) == "--prot: unknown flag; did you mean --port?");
  CHECK(refused({"--thraeds", "1"}) == "--thraeds: unknown flag; did you mean --threads?");
  CHECK(refused({"--xyzzyplugh"}) == "--xyzzyplugh: unknown flag");
  CHECK(refused({"-p"}) == "--port: needs a value (PORT)");
  CHECK(refused({"-p", "abc"}) == "--port: 'abc' is not a number");
  CHECK(refused({"-p", "65536"}) == "--port: 65536 is not between -1 and 65535");
  CHECK(refused({"-p", "99999999999999999999"}) ==
        "--port: '99999999999999999999' is not a number");
  CHECK(refused({"-p="}) == "--port: '' is not a number");
  CHECK(refused({"-p", "1 "}) == "--port: '1 ' is not a number");
  CHECK(refused({"-D=maybe"}) == "--debug: 'maybe' is neither true nor false");
  CHECK(refused({"--threads", "100000"}) == "--threads: 100000 is not between 0 and 256");
  CHECK(refused({"serve"}) == "'serve': every argument is a flag; see --help");
  CHECK(refused({"--"}) == "'--': every argument is a flag; see --help");
  CHECK(refused({"-"}) == "'-': every argument is a flag; see --help");
  CHECK(refused({""}) == "'': every argument is a flag; see --help");
  CHECK(refused({"--client_advertise", ":::"}) == "--client_advertise: ':::' is not HOST:PORT");
  // The bug this keeps out: whoever forgot the signal had a second server.
  CHECK(refused({"--dry-run"}) == "--dry_run: only with --signal reload");
  CHECK(refused({"-t"}) == "-t: needs a configuration file; name one with -c");
}

TEST_CASE("options: kernel features can be taken away by the environment too") {
  ::setenv("PEAL_KERNEL_FEATURES", "0x5", 1);
  CHECK(accepted({}).options.kernel_feature_mask == 5);
  CHECK(accepted({"--kernel_features", "1"}).options.kernel_feature_mask == 1);
  ::setenv("PEAL_KERNEL_FEATURES", "many", 1);
  CHECK(refused({}) == "PEAL_KERNEL_FEATURES: 'many' is not a number");
  ::unsetenv("PEAL_KERNEL_FEATURES");
}

TEST_CASE("options: a message must fit into what may wait") {
  Options options;
  CHECK_FALSE(contradiction_in(options));
  options.limits.payload_bytes_max = 2;
  options.limits.pending_bytes_max = 1;
  CHECK(contradiction_in(options) == "max_payload (2) must not exceed max_pending (1)");
}

}  // namespace
}  // namespace peal::server
