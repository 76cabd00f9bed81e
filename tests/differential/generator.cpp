#include "tests/differential/generator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/random.hpp"

namespace peal::differential {
namespace {

constexpr std::string_view letters =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// What the generator must remember of a client to say only what does not end it.
struct Speaker {
  bool connected = false;
  bool subscribed = false;
  bool headers = false;
  std::set<std::string> queue_sids;
};

class Generator {
 public:
  Generator(uint64_t seed, const Setting& setting, bool for_reference)
      : random_(seed * 1'000'003 + static_cast<uint64_t>(setting.kind)),
        setting_(setting),
        for_reference_(for_reference) {
    session_.seed = seed;
    session_.word = "s";
    for (uint64_t rest = seed, i = 0; i < 4; i++, rest /= letters.size()) {
      session_.word += letters[rest % letters.size()];
    }
  }

  Session run() {
    session_.clients = 1 + random_.below(4);
    speakers_.resize(session_.clients);
    const bool unlimited = setting_.kind == Kind::open || setting_.kind == Kind::accounts;
    if (session_.clients > 1 && unlimited && one_in(6)) counted_group();
    for (uint32_t left = 2 + random_.below(7); left > 0; left--) tame_step(any_client());
    if (!one_in(3)) wild_step(any_client());
    return std::move(session_);
  }

 private:
  using Kind = Setting::Kind;

  bool one_in(uint32_t count) { return random_.below(count) == 0; }
  size_t any_client() { return random_.below(static_cast<uint32_t>(session_.clients)); }
  template <size_t count>
  std::string_view any_of(const std::array<std::string_view, count>& of) {
    return of[random_.below(count)];
  }

  // ---- Words.

  std::string any_token(bool wild) {
    if (wild && one_in(3)) return "*";
    if (one_in(40)) {
      static constexpr std::array<std::string_view, 8> odd = {
          "x*",          "*x",   ">x", "a>b",
          "caf\xc3\xa9", "\xff", "**", "long_token_of_forty_letters_and_some_more"};
      return std::string(any_of(odd));
    }
    static constexpr std::array<std::string_view, 3> usual = {"a", "b", "c"};
    return std::string(any_of(usual));
  }

  std::string any_subject(bool wild) {
    std::string subject = setting_.has_accounts() ? "" : session_.word;
    for (uint32_t left = 1 + random_.below(3); left > 0; left--) {
      if (!subject.empty()) subject += '.';
      subject += wild && left == 1 && one_in(4) ? ">" : any_token(wild);
    }
    if (one_in(40)) subject = spoilt_subject(subject);
    return subject;
  }

  std::string spoilt_subject(const std::string& subject) {
    switch (random_.below(7)) {
      case 0:
        return subject + ".";
      case 1:
        return "." + subject;
      case 2:
        return subject + "..a";
      case 3:
        return subject + ".>.a";
      case 4:
        return subject + ".*";
      case 5:
        return subject + ".>";
      default:
        return subject + (one_in(2) ? ".a.b.c.d.e" : ".a");
    }
  }

  std::string blanks() {
    static constexpr std::array<std::string_view, 4> odd = {"  ", "\t", " \t ", "      "};
    return std::string(one_in(25) ? any_of(odd) : " ");
  }
  std::string line_end() { return (one_in(25) ? blanks() : "") + (one_in(20) ? "\n" : "\r\n"); }

  std::string verb(std::string_view name) {
    std::string text(name);
    if (one_in(20)) {
      for (char& letter : text) {
        if (one_in(2)) letter = static_cast<char>(letter | 0x20);
      }
    }
    return text;
  }

  template <typename... Words>
  std::string line(std::string_view name, const Words&... words) {
    std::string text = verb(name);
    [[maybe_unused]] const auto add = [&](std::string_view word) {
      if (!word.empty()) text += blanks() + std::string(word);
    };
    (add(words), ...);
    return text + line_end();
  }

  // A group whose members all end by themselves: which of them gets a message is by chance, how
  // many they get together is not. Its members publish nothing to it, so that echo does not matter.
  void counted_group() {
    Step step{0, {connect(speakers_[0])}, false};
    speakers_[0].subscribed = true;
    for (uint32_t member = 1 + random_.below(3); member > 0; member--) {
      const std::string sid = fmt::format("Q3.{}", member);
      step.commands.push_back({line("SUB", session_.word + ".counted", "g3." + session_.word, sid) +
                                   line("UNSUB", sid, std::to_string(1 + random_.below(3))),
                               0});
    }
    session_.steps.push_back(std::move(step));
    Step others{1, {connect(speakers_[1])}, false};
    for (uint32_t left = 1 + random_.below(8); left > 0; left--) {
      others.commands.push_back({publish_to(session_.word + ".counted"), 0});
    }
    session_.steps.push_back(std::move(others));
  }

  // ---- Commands that leave the connection open.

  void tame_step(size_t client) {
    Step step{client, {}, false};
    Speaker& speaker = speakers_[client];
    const bool bare = !setting_.has_accounts() && one_in(12);
    if (!speaker.connected && !bare) step.commands.push_back(connect(speaker));
    for (uint32_t left = 1 + random_.below(6); left > 0; left--) {
      step.commands.push_back(tame_command(speaker));
    }
    session_.steps.push_back(std::move(step));
  }

  Command tame_command(Speaker& speaker) {
    switch (random_.below(20)) {
      case 0:
        return {line("PING"), 1};
      case 1:
        return {line("PONG"), 0};
      case 2:
        if (one_in(2)) return {one_in(2) ? "+OK\r\n" : "INFO {}\r\n", 0};
        return {one_in(2) ? "PING x y\r\n" : "PINGxx\r\n", 1};
      case 3:
        if (setting_.has_accounts() || (for_reference_ && speaker.subscribed)) break;
        return connect(speaker);
      case 4:
      case 5:
      case 6:
      case 7:
        return subscribe(speaker);
      case 8:
        return subscribe_with_queue(speaker);
      case 9:
      case 10:
        return unsubscribe(speaker);
      case 11:
      case 12:
        if (speaker.headers) return {publish_with_headers(), 0};
        break;
      default:
        break;
    }
    return {publish(), 0};
  }

  Command connect(Speaker& speaker) {
    std::string json;
    const auto add = [&](std::string_view key, std::string_view value) {
      json += fmt::format("{}\"{}\":{}", json.empty() ? "" : ",", key, value);
    };
    const auto flag = [&](std::string_view key, uint32_t odds) {
      const bool value = !one_in(odds);
      add(key, value ? "true" : "false");
      return value;
    };
    if (setting_.has_accounts() && !speaker.connected) {
      add("user", fmt::format("\"u{}_{}\"", account_mark, random_.below(users_per_account)));
      add("pass", "\"p\"");
    }
    if (!one_in(8)) add("verbose", one_in(4) ? "true" : "false");
    if (!one_in(3)) flag("pedantic", 2);
    if (!one_in(3)) flag("echo", 3);
    if (!one_in(4)) speaker.headers = flag("headers", 5);
    const bool asks = !one_in(3);
    if (asks && speaker.headers) {
      flag("no_responders", 4);
    } else if (asks || !speaker.headers) {
      add("no_responders", "false");  // To want them without headers would end the connection.
    }
    if (one_in(3)) add("protocol", one_in(2) ? "0" : "1");
    if (one_in(6)) add("Name", "\"a \\u00e9 \\\"name\\\"\"");
    if (one_in(10)) add("unknown", "{\"deep\":[1,2.5e3,null,{\"a\":\"}\"}]}");
    if (one_in(10)) add("lang", "null");
    speaker.connected = true;
    return {verb("CONNECT") + blanks() + "{" + json + "}" + (one_in(20) ? "\n" : "\r\n"), 0};
  }

  std::string plain_sid() {
    static constexpr std::array<std::string_view, 7> sids = {
        "1", "2", "3", "4", "sid-x", "*", "a_sid_of_more_than_sixteen_bytes"};
    return std::string(any_of(sids));
  }

  Command subscribe(Speaker& speaker) {
    speaker.subscribed = true;
    return {line("SUB", any_subject(true), plain_sid()), 0};
  }

  Command subscribe_with_queue(Speaker& speaker) {
    const uint32_t group = 1 + random_.below(2);
    const std::string sid = fmt::format("Q{}.{}", group, random_.below(4));
    speaker.subscribed = true;
    speaker.queue_sids.insert(sid);
    return {line("SUB", any_subject(true), fmt::format("g{}.{}", group, session_.word), sid), 0};
  }

  Command unsubscribe(Speaker& speaker) {
    if (one_in(5) && !speaker.queue_sids.empty()) {
      const auto at = std::next(speaker.queue_sids.begin(),
                                random_.below(static_cast<uint32_t>(speaker.queue_sids.size())));
      return {line("UNSUB", *at), 0};
    }
    static constexpr std::array<std::string_view, 7> maxima = {"", "", "0", "1", "2", "5", "007"};
    return {line("UNSUB", plain_sid(), any_of(maxima)), 0};
  }

  std::string any_reply() {
    if (!one_in(3)) return "";
    return any_subject(one_in(6));
  }

  // A message that is told from all others of its session.
  std::string any_payload() {
    std::string payload = one_in(12) ? "" : fmt::format("m{}", messages_++);
    if (one_in(8)) payload += "\r\nPING\r\n";
    if (one_in(30)) payload += std::string("\0\xff\r\r\n", 5);
    if (one_in(20)) payload += std::string(random_.below(60), '.');
    if (one_in(150) && setting_.kind != Kind::limits) {
      payload += std::string(random_.below(70'000), '#');
    }
    if (one_in(30) && setting_.kind == Kind::limits) {
      payload.resize(setting_.payload_bytes_max(), '=');
    }
    return payload;
  }

  std::string publish() { return publish_to(any_subject(one_in(15))); }

  std::string publish_to(const std::string& subject) {
    const std::string payload = any_payload();
    return line("PUB", subject, any_reply(), std::to_string(payload.size())) + payload + "\r\n";
  }

  std::string publish_with_headers() {
    static constexpr std::array<std::string_view, 9> blocks = {
        "NATS/1.0\r\n\r\n",
        "NATS/1.0\r\nA: b\r\n\r\n",
        "NATS/1.0 503\r\n\r\n",
        "NATS/1.0\r\nA: b\r\nA: c\r\nno colon\r\n\r\n",
        "NATS/1.0\nA: b\n\n",
        "abcd",
        "",
        "NATS/1.0\r\nA:",
        "NATS/1.0\r\n: \r\n\r\n"};
    const std::string_view block = any_of(blocks);
    std::string payload = any_payload();
    if (setting_.kind == Kind::limits) payload.resize(std::min<size_t>(payload.size(), 40));
    return line("HPUB", any_subject(one_in(20)), any_reply(), std::to_string(block.size()),
                std::to_string(block.size() + payload.size())) +
           std::string(block) + payload + "\r\n";
  }

  // ---- Commands that may be anything.

  void wild_step(size_t client) {
    Step step{client, {}, true};
    Speaker& speaker = speakers_[client];
    if (!speaker.connected && !one_in(6)) step.commands.push_back(connect(speaker));
    for (uint32_t left = 1 + random_.below(5); left > 0; left--) {
      Command command = one_in(2) ? tame_command(speaker) : Command{odd_command(), 0};
      if (one_in(4)) mutate(command.bytes);
      step.commands.push_back(std::move(command));
    }
    session_.steps.push_back(std::move(step));
  }

  std::string odd_command() {
    const std::string subject = any_subject(false);
    const std::string sid = plain_sid();
    switch (random_.below(20)) {
      case 0: {
        static constexpr std::array<std::string_view, 22> sizes = {
            "-1",
            "+5",
            "0x5",
            "1e3",
            "",
            "\xd9\xa1",
            "2147483648",
            "2147483647",
            "4294967296",
            "4294967295",
            "9223372036854775808",
            "18446744073709551621",
            "33333333333333333333333333333333",
            "000000002",
            "0000000002",
            "2.",
            "2,",
            "1048576",
            "1048577",
            "999999999",
            "01",
            "00"};
        return line("PUB", subject, any_of(sizes)) + "ok\r\n";
      }
      case 1: {
        static constexpr std::array<std::string_view, 8> sizes = {
            "12 10", "0 2", "-1 2", "12 x", "12 14", "12 12", "2 2", "1000 1002"};
        return line("HPUB", subject, any_of(sizes)) + "NATS/1.0\r\n\r\nok\r\n";
      }
      case 2:
        return line("PUB", subject, "5") + "four\r\n";
      case 3:
        return line("PUB", subject, "2") + "four\r\n";
      case 4:
        return line("PUB", subject, "2") + (one_in(2) ? "ok\n" : "ok\n\r");
      case 5: {
        static constexpr std::array<std::string_view, 10> verbs = {
            "PUB",           "HPUB",        "SUB",         "UNSUB",          "CONNECT",
            "PUB a b c d 1", "SUB a b c d", "UNSUB a b c", "HPUB a b c 1 1", "SUB a"};
        return line(any_of(verbs));
      }
      case 6: {
        static constexpr std::array<std::string_view, 18> others = {
            "MSG a 1 2\r\nok\r\n",
            "HMSG a 1 2 2\r\nok\r\n",
            "RS+ $G foo\r\n",
            "RS- $G foo\r\n",
            "LS+ foo\r\n",
            "A+ foo\r\n",
            "A- foo\r\n",
            "RMSG $G foo 2\r\nok\r\n",
            "LMSG foo 2\r\nok\r\n",
            "-ERR 'x'\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "*1\r\n$4\r\nPING\r\n",
            "SSH-2.0-x\r\n",
            "\x16\x03\x01\x02",
            "PROXY TCP4 1.1.1.1\r\n",
            "\xef\xbb\xbf"
            "PING\r\n",
            "POST / HTTP/1.1\r\n\r\n",
            "QUIT\r\n"};
        return std::string(any_of(others));
      }
      case 7: {
        static constexpr std::array<std::string_view, 5> empty = {"\r\n", "\n", " PING\r\n", "\r",
                                                                  "PING\r\r\n"};
        return std::string(any_of(empty));
      }
      case 8: {
        static constexpr std::array<std::string_view, 20> documents = {
            "{bad}",
            "[]",
            "1",
            "null",
            "{}",
            "\"x\"",
            "{\"verbose\":1}",
            "{\"name\":1}",
            "{\"protocol\":\"1\"}",
            "{\"protocol\":2}",
            "{\"verbose\":false}x",
            "{\"verbose\":false",
            "{\"verbose\":true,\"verbose\":false}",
            "{\"no_responders\":true,\"headers\":false}",
            "{\"tls_required\":true}",
            "{\"user\":\"\\u0000\"}",
            "{\"name\":\"\\ud800\"}",
            "{\"protocol\":1.5}",
            "{\"VERBOSE\":false}",
            "{\"protocol\":-1}"};
        return "CONNECT " + std::string(any_of(documents)) + "\r\n";
      }
      case 9: {
        const uint32_t limit = setting_.control_line_bytes_max();
        const size_t wanted = limit - 4 + random_.below(8);  // Around the limit, either way.
        std::string text = "SUB " + subject + ".";
        const size_t rest = 2;  // " 1"
        if (text.size() - 4 + rest < wanted)
          text += std::string(wanted - rest - text.size() + 4, 'x');
        return text + " 1\r\n";
      }
      case 10: {
        const size_t bytes = setting_.payload_bytes_max() + random_.below(2);
        if (setting_.kind != Kind::limits && !one_in(20)) break;
        return line("PUB", subject, std::to_string(bytes)) + std::string(bytes, 'p') + "\r\n";
      }
      case 11:
        return line("UNSUB", sid, one_in(2) ? "-1" : one_in(2) ? "x" : "1000000000");
      case 12:
        return "PUB " + subject + (one_in(2) ? "\rb 2\r\nok\r\n" : " 2\rx\r\nok\r\n");
      case 13: {
        static constexpr std::array<std::string_view, 6> bytes = {
            std::string_view("\0", 1), "\x01", "\x0b", "\x0c", "\x1a", "\xc2\xa0"};
        return line("SUB", subject + std::string(any_of(bytes)), sid);
      }
      case 14:
        return "PING" + std::string(random_.below(3) * 200, 'x') + "\r\n";
      case 15:
        return "PUB" + std::string(1 + random_.below(300), one_in(2) ? ' ' : '\t') + subject +
               " 2\r\nok\r\n";
      case 16:
        return verb(one_in(2) ? "SUB" : "PUB") + " \n" + subject + " 1\r\n";
      case 17:
        return line("SUB", subject, sid + "\r");
      case 18:
        return std::string(random_.below(3), ' ') + line("SUBX", subject, sid);
      default:
        break;
    }
    return line("PUB", subject, "2") + "ok";
  }

  void mutate(std::string& bytes) {
    for (uint32_t left = 1 + random_.below(3); left > 0 && !bytes.empty(); left--) {
      const auto at = random_.below(static_cast<uint32_t>(std::min<size_t>(bytes.size(), 200)));
      static constexpr std::array<std::string_view, 24> splices = {
          "\r\n", "\n", "\r", " ",        "\t",   ".",    "*",      ">",    "0",    "1", "9", "-",
          "{",    "}",  "\"", "PING\r\n", "PUB ", "SUB ", "UNSUB ", "\x7f", "\xff", "a", "'", ","};
      switch (random_.below(6)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_.below(8)));
          break;
        case 1:
          bytes.erase(at, 1);
          break;
        case 2:
          bytes.insert(at, any_of(splices));
          break;
        case 3:
          bytes.erase(at, random_.below(12));
          break;
        case 4:
          bytes.insert(at, bytes.substr(at, random_.below(12)));
          break;
        default:
          bytes.resize(at);
          break;
      }
    }
  }

  core::Random random_;
  const Setting& setting_;
  bool for_reference_;
  Session session_;
  std::vector<Speaker> speakers_;
  uint32_t messages_ = 0;
};

}  // namespace

Session generate(uint64_t seed, const Setting& setting, bool for_reference) {
  return Generator(seed, setting, for_reference).run();
}

}  // namespace peal::differential
