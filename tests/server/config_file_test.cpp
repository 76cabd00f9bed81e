#include "server/config_file.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "server/config_number.hpp"
#include "server/config_parser.hpp"

namespace peal::server {
namespace {

using namespace std::chrono_literals;

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name, const std::string& text) const {
    const std::string path = fmt::format("{}/{}", path_, name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }

 private:
  std::string path_ = "/tmp/peal-config-XXXXXX";
};

// The tree as text: what was understood, without where it stood.
std::string shown(const ConfigValue& value);

std::string shown(const ConfigMap& map) {
  std::string text = "{";
  for (const ConfigEntry& entry : map.entries) {
    text += fmt::format("{}{}={}", text.size() > 1 ? " " : "", entry.key, shown(entry.value));
  }
  return text + "}";
}

std::string shown(const ConfigValue& value) {
  struct Show {
    std::string operator()(const std::string& text) const { return fmt::format("'{}'", text); }
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
    std::string operator()(const ConfigInteger& integer) const {
      return fmt::format("{}", integer.value);
    }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const ConfigArray& array) const {
      std::string text = "[";
      for (const ConfigValue& item : array) {
        text += fmt::format("{}{}", text.size() > 1 ? " " : "", shown(item));
      }
      return text + "]";
    }
    std::string operator()(const ConfigMap& map) const { return shown(map); }
  };
  return std::visit(Show{}, value.content);
}

std::string parsed(const std::string& text) {
  std::vector<std::string> warnings;
  const auto result = parse_config_text(text, "test.conf", warnings);
  if (const auto* error = std::get_if<std::string>(&result)) return *error;
  return shown(std::get<ConfigMap>(result));
}

TEST_CASE("config: key and value with a colon, an equals sign, or a blank") {
  CHECK(parsed("a: 1\nb = 2\nc 3\nd:4\ne=5\n") == "{a=1 b=2 c=3 d=4 e=5}");
  CHECK(parsed("a: 1, b: 2; c: 3") == "{a=1 b=2 c=3}");
  CHECK(parsed("a\n:\n1") == "{a=1}");
  CHECK(parsed("'a b': 1\n\"c\\td\" = 2") == "{a b=1 c\td=2}");
  CHECK(parsed("\xef\xbb\xbf"
               "a: 1\r\nb: x\r\n") == "{a=1 b='x'}");
}

TEST_CASE("config: nothing at all is a configuration too") {
  CHECK(parsed("") == "{}");
  CHECK(parsed(" \n# only words\n// more\n") == "{}");
  CHECK(parsed("{}") == "{}");
  CHECK(parsed("{ }\n# end") == "{}");
}

TEST_CASE("config: comments end with their line, and begin only where a word could") {
  CHECK(parsed("a: 1 # one\nb: 2 // two\n#c: 3\nd: 4") == "{a=1 b=2 d=4}");
  CHECK(parsed("a: nats://host:1#x") == "{a='nats://host:1#x'}");
  CHECK(parsed("a: [ # first\n 1 // second\n 2 ]") == "{a=[1 2]}");
  CHECK(parsed("a: '# none'") == "{a='# none'}");
}

TEST_CASE("config: maps and arrays in each other") {
  CHECK(parsed("a { b { c: 1 }, d: [1, 2] }\ne: {f: [{g: 1}, {g: 2}]}") ==
        "{a={b={c=1} d=[1 2]} e={f=[{g=1} {g=2}]}}");
  CHECK(parsed("a [\n 1\n 2,\n 3\n]\n") == "{a=[1 2 3]}");
  CHECK(parsed("a: []\nb: {}") == "{a=[] b={}}");
  CHECK(parsed("a {\n},\nb: 1") == "{a={} b=1}");
}

TEST_CASE("config: JSON is a configuration") {
  CHECK(parsed(R"({"a": 1, "b": {"c": true, "d": [1.5, "x\"y"]}, "e": "f"})") ==
        R"({a=1 b={c=true d=[1.5 'x"y']} e='f'})");
  CHECK(parsed("{\n  \"port\": 4222,\n  \"debug\": false\n}\n") == "{port=4222 debug=false}");
}

TEST_CASE("config: texts, quoted, raw, bare and in a block") {
  CHECK(parsed(R"(a: "x\x41\n\t\r\"\\")") == "{a='xA\n\t\r\"\\'}");
  CHECK(parsed(R"(a: 'x\n"')") == R"({a='x\n"'})");
  CHECK(parsed("a: \"two\nlines\"") == "{a='two\nlines'}");
  CHECK(parsed("a: foo.bar:4222/x-y") == "{a='foo.bar:4222/x-y'}");
  CHECK(parsed("a: 127.0.0.1:4222") == "{a='127.0.0.1:4222'}");
  CHECK(parsed("a: 2016-05-04T18:53:41Z") == "{a='2016-05-04T18:53:41Z'}");
  CHECK(parsed("a (\n one } # \"\n  (two)\n  )\nb: 1") == "{a='\n one } # \"\n  (two)\n' b=1}");
  CHECK(parsed("{a: x}") == "{a='x'}");
  CHECK(parsed("a: $2a$11$abc") == "{a='$2a$11$abc'}");
}

TEST_CASE("config: booleans in every spelling, and their quoted twins") {
  CHECK(parsed("a: true, b: YES, c: On, d: false, e: no, f: oFF") ==
        "{a=true b=true c=true d=false e=false f=false}");
  CHECK(parsed("a: 'true', b: truely") == "{a='true' b='truely'}");
}

TEST_CASE("config: numbers in thousands and in 1,024s") {
  CHECK(parsed("a: 1k, b: 1K, c: 1kb, d: 1Ki, e: 1KiB") == "{a=1000 b=1000 c=1024 d=1024 e=1024}");
  CHECK(parsed("a: 64MB, b: 2m, c: 1g, d: 1GB") ==
        "{a=67108864 b=2000000 c=1000000000 d=1073741824}");
  CHECK(parsed("a: -1, b: 1t, c: 1p, d: 1e, e: 7eib") ==
        "{a=-1 b=1000000000000 c=1000000000000000 d=1000000000000000000 e=8070450532247928832}");
  CHECK(parsed("a: 8eib, b: 1kk, c: 1x, d: -, e: 99999999999999999999") ==
        "{a='8eib' b='1kk' c='1x' d='-' e='99999999999999999999'}");
  CHECK(parsed("a: 1.5, b: -0.25, c: 1., d: .5, e: 1.2.3") ==
        "{a=1.5 b=-0.25 c='1.' d='.5' e='1.2.3'}");
}

TEST_CASE("config: a variable is looked for outwards, then in the environment") {
  CHECK(parsed("x: 1\na: $x") == "{x=1 a=1}");
  CHECK(parsed("x: 1\na { x: 2, b { c: $x } }\nd: $x") == "{x=1 a={x=2 b={c=2}} d=1}");
  CHECK(parsed("x { y: [1] }\na: $x") == "{x={y=[1]} a={y=[1]}}");
  CHECK(parsed("a: [$x, 2]") == "test.conf:1:5: $x is neither in the file nor in the environment");
  ::setenv("PEAL_TEST_X", "8MB", 1);
  CHECK(parsed("a: $PEAL_TEST_X") == "{a=8388608}");
  ::setenv("PEAL_TEST_X", "'quoted, text'", 1);
  CHECK(parsed("a: $PEAL_TEST_X") == "{a='quoted, text'}");
  ::setenv("PEAL_TEST_X", "[1, $PEAL_TEST_Y]", 1);
  ::setenv("PEAL_TEST_Y", "on", 1);
  CHECK(parsed("a: $PEAL_TEST_X") == "{a=[1 true]}");
  ::setenv("PEAL_TEST_Y", "$PEAL_TEST_X", 1);
  CHECK(parsed("a: $PEAL_TEST_X").find("refers to itself") != std::string::npos);
  ::setenv("PEAL_TEST_X", "1 2", 1);
  CHECK(parsed("a: $PEAL_TEST_X") == "test.conf:1:4: $PEAL_TEST_X:1:3: more than one value");
  // Nobody who starts a server by a script has to leave out what is empty today.
  ::setenv("PEAL_TEST_X", "", 1);
  CHECK(parsed("a: $PEAL_TEST_X, b: [$PEAL_TEST_X]") == "{a='' b=['']}");
  ::unsetenv("PEAL_TEST_X");
  ::unsetenv("PEAL_TEST_Y");
}

TEST_CASE("config: files include files, each from where it lies") {
  const Folder folder;
  folder.file("parts/limits.conf", "max_payload: $size\ninclude more.conf\n");
  folder.file("parts/more.conf", "{ max_pending: 2 }");
  const std::string path = folder.file(
      "main.conf", "size: 1\ninclude 'parts/limits.conf'\nm { include ./parts/more.conf }");
  std::vector<std::string> warnings;
  const auto result = parse_config_file(path, warnings);
  REQUIRE(std::holds_alternative<ConfigMap>(result));
  CHECK(shown(std::get<ConfigMap>(result)) ==
        "{size=1 max_payload=1 max_pending=2 m={max_pending=2}}");
}

TEST_CASE("config: an error in an included file is told by that file's name") {
  const Folder folder;
  const std::string part = folder.file("part.conf", "a: 1\nb: }");
  const std::string path = folder.file("main.conf", "include part.conf");
  std::vector<std::string> warnings;
  const auto result = parse_config_file(path, warnings);
  REQUIRE(std::holds_alternative<std::string>(result));
  CHECK(std::get<std::string>(result) == fmt::format("{}:2:1: 'b' has no value", part));
}

TEST_CASE("config: what stands behind the closing brace of an included file is not passed over") {
  const Folder folder;
  const std::string part = folder.file("part.conf", "{ a: 1 }\nb: 2");
  std::vector<std::string> warnings;
  const auto result = parse_config_file(folder.file("main.conf", "include part.conf"), warnings);
  REQUIRE(std::holds_alternative<std::string>(result));
  CHECK(std::get<std::string>(result) ==
        fmt::format("{}:2:1: nothing may follow the closing brace of the file", part));
}

TEST_CASE("config: files that include each other are refused, not followed") {
  const Folder folder;
  folder.file("a.conf", "include b.conf");
  std::vector<std::string> warnings;
  const auto result = parse_config_file(folder.file("b.conf", "include a.conf"), warnings);
  REQUIRE(std::holds_alternative<std::string>(result));
  CHECK(std::get<std::string>(result).find("include each other too deep") != std::string::npos);
}

TEST_CASE("config: what is wrong is told with line and column") {
  CHECK(parsed("a: 1\n  b: [1, 2") == "test.conf:2:11: a closing bracket is missing");
  CHECK(parsed("a {\n b: 1\n") == "test.conf:3:1: a closing brace is missing");
  CHECK(parsed("a: 1\n}") == "test.conf:2:1: a closing brace without an opening one");
  CHECK(parsed("a: \"x") == "test.conf:1:4: a closing quote is missing");
  CHECK(parsed("a (\n x") == "test.conf:1:4: a block has no line with its closing parenthesis");
  CHECK(parsed("a:") == "test.conf:1:1: 'a' has no value");
  CHECK(parsed("a: b c") ==
        "test.conf:1:6: an item ends with a newline, ',' or ';': put a text with blanks in quotes");
  CHECK(parsed("a: [1 2]") ==
        "test.conf:1:7: values of an array are separated by ',' or a newline");
  CHECK(parsed("a: \"\\q\"") == R"(test.conf:1:7: '\q' is none of \n \t \r \" \\ \xXX)");
  CHECK(parsed("a: \"\\x4\"") == R"(test.conf:1:7: \x needs two hexadecimal digits)");
  CHECK(parsed("{a: 1} b: 2") == "test.conf:1:8: nothing may follow the closing brace of the file");
  CHECK(parsed(": 1") == "test.conf:1:1: a key cannot begin with ':'");
  CHECK(parsed(std::string("a: 1\nb: 'x\0y'", 13)) ==
        "test.conf:2:6: a zero byte: this is no text");
  CHECK(parsed("include none.conf") ==
        "test.conf:1:9: include none.conf: No such file or directory");
}

// The bug this keeps out: a file of brackets that uses up the stack.
TEST_CASE("config: maps and arrays cannot lie deeper than is sane") {
  const std::string arrays(100'000, '[');
  CHECK(parsed("a: " + arrays).find("too deep") != std::string::npos);
  std::string maps;
  for (int i = 0; i < 100'000; i++) maps += "a {";
  CHECK(parsed(maps).find("too deep") != std::string::npos);
}

// Goal: no text, however broken, does more than be refused.
// Method: every beginning of a text that has everything, and that text with each byte replaced.
TEST_CASE("config: a text cut or bent anywhere is read or refused") {
  const std::string whole =
      "{ a: 1k, 'b' = \"x\\x41\" # c\n d [ 1.5, on\n $a ]; e ( \n y\n ) \n f { g: '2' } }";
  REQUIRE(parsed(whole) == "{a=1000 b='xA' d=[1.5 true 1000] e=' \n y\n' f={g='2'}}");
  for (size_t size = 0; size < whole.size(); size++)
    CHECK_FALSE(parsed(whole.substr(0, size)).empty());
  for (size_t at = 0; at < whole.size(); at++) {
    for (const char letter : std::string("{}[]()\"'\\$#/:,;= \n\0", 19)) {
      std::string bent = whole;
      bent[at] = letter;
      CHECK_FALSE(parsed(bent).empty());
    }
  }
}

TEST_CASE("config: times as Go spells them") {
  CHECK(config_duration("2m") == 2min);
  CHECK(config_duration("1h30m") == 90min);
  CHECK(config_duration("1.5s") == 1500ms);
  CHECK(config_duration("500ms") == 500ms);
  CHECK(config_duration("10us") == 10us);
  CHECK(config_duration("10\u00b5s") == 10us);
  CHECK(config_duration("3ns") == 3ns);
  CHECK(config_duration("0") == 0s);
  CHECK(config_duration("-1h30m") == -90min);
  CHECK(config_duration("+2s") == 2s);
  for (const char* wrong :
       {"", "m", "2", "2x", "2m3", "-", "--1s", "1..5s", "s2", "1e5s", "999999999h"}) {
    CAPTURE(wrong);
    CHECK_FALSE(config_duration(wrong));
  }
}

struct Applied {
  Options options;
  std::vector<std::string> warnings;
  std::string error;  // Without the name of the file.
};

Applied applied(const std::string& text) {
  const Folder folder;
  const std::string path = folder.file("c", text);
  Applied out;
  out.error = apply_config(path, out.options, out.warnings).value_or("");
  for (std::string* told : {&out.error}) {
    if (told->starts_with(path)) told->erase(0, path.size() + 1);
  }
  for (std::string& warning : out.warnings) warning.erase(0, path.size() + 1);
  return out;
}

TEST_CASE("config: every key reaches its option") {
  const Applied all = applied(R"(
    listen: 127.0.0.1:4333
    client_advertise: bell.example:4222
    server_name: 12
    debug: true, trace: yes, logtime: off, logtime_utc: on
    log_file: /log, pid_file: "/pid", ports_file_dir: '/ports'
    max_control_line: 2KB, max_payload: 2MB, max_pending: 8MB
    max_connections: 10, max_subscriptions: 11, max_sub_tokens: 12
    ping_interval: "1m", ping_max: 3, write_deadline: "5s"
    lame_duck_duration: "60s", lame_duck_grace_period: "1s"
    no_header_support: true
    log_format: json, logfile_size_limit: 10MB, logfile_max_num: 3
    syslog: true, remote_syslog: "udp://localhost:514", max_traced_msg_len: 64
    listen_unix: /run/peal.sock, listen_unix_mode: 600, listen_unix_owner: "peal:peal"
    proxy_protocol: true
    threads: 3, memory_budget: 1GB
  )");
  CHECK(all.error == "");
  CHECK(all.warnings.empty());
  const Options& options = all.options;
  CHECK(options.host == "127.0.0.1");
  CHECK(options.port == 4333);
  CHECK(options.client_advertise == "bell.example:4222");
  CHECK(options.server_name == "12");
  CHECK(options.debug);
  CHECK(options.trace);
  CHECK_FALSE(options.logtime);
  CHECK(options.logtime_utc);
  CHECK(options.log_file == "/log");
  CHECK(options.pid_file == "/pid");
  CHECK(options.ports_file_dir == "/ports");
  CHECK(options.limits.control_line_bytes_max == 2048);
  CHECK(options.limits.payload_bytes_max == 2 << 20);
  CHECK(options.limits.pending_bytes_max == 8 << 20);
  CHECK(options.limits.connections_max == 10);
  CHECK(options.limits.subscriptions_max == 11);
  CHECK(options.limits.subscription_tokens_max == 12);
  CHECK(options.ping_interval == 1min);
  CHECK(options.ping_max == 3);
  CHECK(options.write_deadline == 5s);
  CHECK(options.lame_duck_duration == 60s);
  CHECK(options.lame_duck_grace_period == 1s);
  CHECK(options.no_header_support);
  CHECK(options.log_json);
  CHECK(options.logfile_bytes_max == 10 << 20);
  CHECK(options.logfiles_max == 3);
  CHECK(options.syslog);
  CHECK(options.remote_syslog == "udp://localhost:514");
  CHECK(options.traced_message_bytes_max == 64);
  CHECK(options.listen_unix == "/run/peal.sock");
  CHECK(options.listen_unix_mode == 0600);
  CHECK(options.listen_unix_owner == "peal:peal");
  CHECK(options.proxy_protocol);
  CHECK(options.threads == 3);
  CHECK(options.memory_budget_bytes == 1 << 30);
}

TEST_CASE("config: other names of the same keys, in any case") {
  const Applied all = applied(
      "NET: ::1\nPort: 4334\nlogfile: a\npidfile: b\nmax_conn: 1\nMAX_SUBS: 2\n"
      "max_subscription_tokens: 3\ntrace_verbose: true");
  CHECK(all.error == "");
  CHECK(all.options.host == "::1");
  CHECK(all.options.port == 4334);
  CHECK(all.options.log_file == "a");
  CHECK(all.options.pid_file == "b");
  CHECK(all.options.limits.connections_max == 1);
  CHECK(all.options.limits.subscriptions_max == 2);
  CHECK(all.options.limits.subscription_tokens_max == 3);
  CHECK(all.options.trace);
}

TEST_CASE("config: where to listen, in each form") {
  CHECK(applied("listen: 4333").options.port == 4333);
  CHECK(applied("listen: ':4333'").options.port == 4333);
  CHECK(applied("listen: ':4333'").options.host == "0.0.0.0");
  CHECK(applied("listen: '[::1]:4333'").options.host == "::1");
  CHECK(applied("listen: 'bell:-1'").options.port == -1);
  CHECK(applied("port: 0").options.port == 4222);
  CHECK(applied("listen: bell").error ==
        "1:9: listen: 'bell' is not HOST:PORT; an IPv6 address goes in brackets");
  CHECK(applied("listen: 'bell:'").error ==
        "1:9: listen: 'bell:' is not HOST:PORT; an IPv6 address goes in brackets");
  CHECK(applied("listen: 'bell:x'").error == "1:9: listen: x is not between -1 and 65535");
}

TEST_CASE("config: several addresses to listen on") {
  const Applied several = applied("listen: ['127.0.0.1:4333', '[::1]:4334', 4335]");
  CHECK(several.error == "");
  CHECK(several.options.host == "127.0.0.1");
  CHECK(several.options.port == 4333);
  REQUIRE(several.options.listen_also.size() == 2);
  CHECK(several.options.listen_also[0] == ListenAddress{"::1", 4334});
  CHECK(several.options.listen_also[1] == ListenAddress{"127.0.0.1", 4335});
  CHECK(applied("listen: []").error == "1:9: listen: a list of addresses has 1 to 16");
  CHECK(applied("listen: '::1:4333'").error ==
        "1:9: listen: '::1:4333' is not HOST:PORT; an IPv6 address goes in brackets");
}

TEST_CASE("config: where monitoring listens, and under which path") {
  const auto monitoring = [](const std::string& text) { return applied(text).options.monitoring; };
  CHECK(monitoring("http_port: 8222").port == 8222);
  CHECK(monitoring("monitor_port: -1").port == -1);
  CHECK(monitoring("http: 8222").port == 8222);
  CHECK(monitoring("http: '127.0.0.1:8223'").host == "127.0.0.1");
  CHECK(monitoring("http: '127.0.0.1:8223'").port == 8223);
  CHECK(monitoring("listen: 'bell:1'\nhttp: ':8223'").host == "");
  CHECK(monitoring("").port == 0);
  CHECK(monitoring("http_base_path: nats/").base_path == "/nats");
  CHECK(monitoring("http_base_path: /").base_path == "");
  CHECK(monitoring("http_user: a, http_password: b, http_token: c").token == "c");
  CHECK(monitoring("max_closed_clients: 0").closed_clients_max == 0);
  CHECK(applied("stats_interval: '5s'").options.stats_interval == std::chrono::seconds(5));
  CHECK(applied("http: bell").error ==
        "1:7: http: 'bell' is not HOST:PORT; an IPv6 address goes in brackets");
}

// The bug this keeps out: blocks that are there twice were added up, and users of the first could
// log in.
TEST_CASE("config: of several with one name the last is the only one, and a warning says so") {
  const Applied outcome = applied(
      "accounts { A { users: [{user: a, password: x}] } }\nmax_payload: 1\n"
      "accounts { B { users: [{user: b, password: x}] } }\nmax_payload: 2");
  CHECK(outcome.error == "");
  CHECK(outcome.options.limits.payload_bytes_max == 2);
  REQUIRE(outcome.options.security.accounts.size() == 1);
  CHECK(outcome.options.security.accounts[0].name == "B");
  REQUIRE(outcome.warnings.size() == 2);
  CHECK(outcome.warnings[0].ends_with("1:1: accounts: is there again, and only the last counts"));
}

// An included list of users, and another one of those who are meant.
TEST_CASE("config: so it is in every block, also with what a file in it brings") {
  const Folder folder;
  folder.file("users.conf", "users: [{user: old, password: x}]");
  const Applied outcome = applied(fmt::format(
      "include '{}'", folder.file("main.conf",
                                  "authorization "
                                  "{\n include users.conf\n users: [{user: new, password: x}] }")));
  CHECK(outcome.error == "");
  REQUIRE(outcome.options.security.users.size() == 1);
  CHECK(outcome.options.security.users[0].name == "new");
  REQUIRE(outcome.warnings.size() == 1);
  CHECK(outcome.warnings[0].ends_with("1:1: users: is there again, and only the last counts"));
}

TEST_CASE("config: 0 asks for the default") {
  const Applied all = applied("max_payload: 0\nping_max: 0\nping_interval: '0'\nmax_subs: 0");
  CHECK(all.error == "");
  CHECK(all.options.limits.payload_bytes_max == 1 << 20);
  CHECK(all.options.ping_max == 2);
  CHECK(all.options.ping_interval == 2min);
}

TEST_CASE("config: bare numbers as times are seconds, and never millions of them") {
  CHECK(applied("ping_interval: 60").options.ping_interval == 60s);
  CHECK(applied("ping_interval: 0.5").options.ping_interval == 500ms);
  CHECK(applied("ping_interval: 2m").error ==
        "1:16: ping_interval: a bare 2m is a number; write \"2m\" for a time");
  CHECK(applied("ping_interval: soon").error ==
        "1:16: ping_interval: 'soon' is no time; write it as \"2m\", \"1h30m\" or \"500ms\"");
  CHECK(applied("ping_interval: 1000000001").error ==
        "1:16: ping_interval: 1000000001 seconds are beyond reason");
}

// The bug this keeps out: a time below 0 is taken for the default by some keys, and without a word.
TEST_CASE("config: a time below 0 is refused, whichever key it is of") {
  for (const char* time : {"-5", "-0.5", "'-5s'"}) {
    CAPTURE(time);
    for (const auto& [form, place] : {
             std::pair("ping_interval: {}", "1:16: ping_interval"),
             std::pair("authorization {{ timeout: {} }}", "1:26: timeout"),
             std::pair("tls {{ timeout: {} }}", "1:16: timeout"),
             std::pair("websocket {{ handshake_timeout: {} }}",
                       "1:32: websocket.handshake_timeout"),
             std::pair("websocket {{ authorization {{ timeout: {} }} }}", "1:38: timeout"),
         }) {
      CHECK(applied(fmt::format(fmt::runtime(form), time)).error ==
            fmt::format("{}: a time below 0 makes no sense here", place));
    }
  }
}

TEST_CASE("config: a value of the wrong kind or size is refused") {
  CHECK(applied("debug: 1").error == "1:8: debug: expected true or false, found a number");
  CHECK(applied("max_payload: big").error == "1:14: max_payload: expected a number, found a text");
  CHECK(applied("max_payload: 1GB").error ==
        "1:14: max_payload: 1GB is not between 0 and 999999999");
  CHECK(applied("port: 70000").error == "1:7: port: 70000 is not between -1 and 65535");
  CHECK(applied("\n\n  server_name: [a]").error ==
        "3:16: server_name: expected a text, found an array");
  CHECK(applied("max_connections: -1").error ==
        "1:18: max_connections: -1 is not between 0 and 2147483647");
}

TEST_CASE("config: what is said of a value that cannot be is what could") {
  CHECK(applied("server_name: 'a b'").error == "1:14: server_name: a server's name has no blanks");
  CHECK(applied("log_format: xml").error == "1:13: log_format: 'xml' is neither text nor json");
  CHECK(applied("remote_syslog: localhost").error ==
        "1:16: remote_syslog: 'localhost' is not udp://HOST:PORT or tcp://HOST:PORT");
  for (const char* address : {":::", "::1", "[::1", "[::1]4222", "h:x", "h:70000", "h:"}) {
    CHECK(applied(fmt::format("client_advertise: '{}'", address)).error ==
          fmt::format("1:19: client_advertise: '{}' is not HOST:PORT", address));
  }
  for (const char* address : {"h", "h:0", "h:-1", "[::1]", "[::1]:4222", ""}) {
    CHECK(applied(fmt::format("client_advertise: '{}'", address)).error.empty());
  }
  CHECK(applied("listen_unix_mode: 999").error ==
        "1:19: listen_unix_mode: '999' is no mode; write three octal digits such as 660");
}

TEST_CASE("config: a key that nobody knows is refused with the likely one") {
  CHECK(applied("max_payloda: 1").error ==
        "1:1: unknown field \"max_payloda\"; did you mean max_payload?");
  CHECK(applied("xyzzy: 1").error == "1:1: unknown field \"xyzzy\"");
  CHECK(applied("size: 8\nmax_payload: $size").error == "");
}

TEST_CASE("config: what nats-server has and Peal has not is refused, unless it asks for nothing") {
  CHECK(applied("jetstream: enabled").error == "1:1: jetstream: not supported yet");
  CHECK(applied("port: 1\noperator: x.jwt").error == "2:1: operator: not supported yet");
  const Applied nothing = applied("cluster {}\njetstream: false\n");
  CHECK(nothing.error == "");
  REQUIRE(nothing.warnings.size() == 2);
  CHECK(nothing.warnings[0] == "1:1: cluster: not supported yet");
  CHECK(applied("jetstream {}").error == "1:1: jetstream: not supported yet");
  for (const char* wish :
       {"cluster { port: 6222 }", "leafnodes { remotes: [{url: a}] }",
        "leafnodes { nobody_knows: [] }", "jetstream { strict: false }",
        "accounts { A { exports: [{stream: a}] } }", "ocsp { mode: always }", "resolver: MEMORY"}) {
    CAPTURE(wish);
    CHECK(applied(wish).error.ends_with("not supported yet"));
  }
  for (const char* no_wish :
       {"jetstream { enabled: false, store_dir: /x }", "leafnodes { remotes: [] }",
        "ocsp { mode: never }", "proxies { trusted: [] }",
        "accounts { A { exports: [], imports: [], jetstream: disabled } }"}) {
    CAPTURE(no_wish);
    CHECK(applied(no_wish).error == "");
  }
}

TEST_CASE("config: rare names that nats-server has for keys are known too") {
  for (const char* rare :
       {"accounts_resolver: MEMORY", "root_operators: a", "leafnodes { minimum_version: 2.8.0 }",
        "tls { verify_cert_and_check_known_urls: true }"}) {
    CAPTURE(rare);
    CHECK(applied(rare).error.ends_with("not supported yet"));
  }
  CHECK(applied("authorization { default_permission { publish: a } }").error == "");
}

TEST_CASE("config: what nobody misses is taken with a warning") {
  const Applied tags = applied("server_tags: [a, b]");
  CHECK(tags.error == "");
  REQUIRE(tags.warnings.size() == 1);
  CHECK(tags.warnings[0] ==
        "1:1: server_tags: has no effect: nobody asks for tags without a cluster");
}

TEST_CASE("config: flags win over the file, and the whole must agree") {
  const Folder folder;
  const std::string path = folder.file("c", "port: 4333\nserver_name: file\nmax_pending: 1KB");
  const char* const good[] = {"peal-server", "-c", path.c_str(), "-p", "4444", "-t"};
  CHECK(std::get<std::string>(parse_command_line(6, good)) ==
        "max_payload (1048576) must not exceed max_pending (1024)");

  folder.file("c", "port: 4333\nserver_name: file");
  const auto result = parse_command_line(6, good);
  REQUIRE(std::holds_alternative<ParsedCommand>(result));
  const auto& command = std::get<ParsedCommand>(result);
  CHECK(command.action == Action::test_config);
  CHECK(command.message == fmt::format("configuration file {} is valid", path));
  CHECK(command.options.port == 4444);
  CHECK(command.options.server_name == "file");
}

TEST_CASE("config: a file that cannot be read is refused in one sentence") {
  Options options;
  std::vector<std::string> warnings;
  CHECK(apply_config("/nonexistent.conf", options, warnings) ==
        "/nonexistent.conf: No such file or directory");
  CHECK(apply_config("/tmp", options, warnings) == "/tmp: Is a directory");
  // The bug this keeps out: a device without an end takes all memory that there is.
  CHECK(apply_config("/dev/zero", options, warnings) == "/dev/zero: File too large");
}

}  // namespace
}  // namespace peal::server
