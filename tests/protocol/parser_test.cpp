#include "protocol/parser.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/command_log.hpp"
#include "tests/support/guarded_bytes.hpp"

using namespace peal::protocol;
using namespace std::string_literals;
using peal::test::CommandLog;
using peal::test::GuardedBytes;

namespace {

GuardedBytes& memory() {
  static GuardedBytes bytes(1 << 20);
  return bytes;
}

std::string parse(std::initializer_list<std::string_view> reads, const Limits& limits = {},
                  bool headers = true) {
  CommandLog log(memory(), limits, headers);
  for (const std::string_view read : reads) log.feed(read);
  return log.text();
}

std::string parse_bytewise(std::string_view stream, const Limits& limits = {}) {
  CommandLog log(memory(), limits);
  for (const char& byte : stream) log.feed({&byte, 1});
  return log.text();
}

// Whatever is said of a stream holds when it comes byte by byte, and when enough follows it that
// the whole-block paths are taken.
void check(const std::string& stream, const std::string& expected, const Limits& limits = {}) {
  CAPTURE(stream);
  CHECK(parse({stream}, limits) == expected);
  CHECK(parse_bytewise(stream, limits) == expected);
  std::string follow_on, follow_on_expected = expected;
  for (int i = 0; i < 20; i++) follow_on += "PING\r\n";
  if (!expected.starts_with("refused") && expected.find("\nrefused") == expected.npos) {
    for (int i = 0; i < 20; i++) follow_on_expected += "PING\n";
  }
  CHECK(parse({stream + follow_on}, limits) == follow_on_expected);
}

// Each kind of command, plain and odd, and all that structures it at least once.
const std::string transcript =
    "CONNECT {\"verbose\":false}\r\n"
    "SUB foo.* 1\r\nsub foo q 22\n"
    "PUB foo 5\r\nhello\r\n"
    "pub\tfoo  _INBOX.1 \t 4 \r\n\r\n\r\n\r\n"
    "HPUB a.b 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    "HPUB a r 0 2\nok\r\n"
    "PUB x 0\r\n\r\n"
    "PING\r\nPONG x\r\n+OK\r\nINFO {}\r\nCONNECT{}\n"
    "UNSUB 1\r\nUNSUB 22 5\r\n"
    "PUB bench.1000 16\r\n0123456789abcdef\r\n";

const std::string transcript_commands =
    "CONNECT [{\"verbose\":false}]\n"
    "SUB [foo.*] [] [1]\nSUB [foo] [q] [22]\n"
    "PUB [foo] [] 0 [hello]\n"
    "PUB [foo] [_INBOX.1] 0 [\r\n\r\n]\n"
    "HPUB [a.b] [] 12 [NATS/1.0\r\n\r\nhi]\n"
    "HPUB [a] [r] 0 [ok]\n"
    "PUB [x] [] 0 []\n"
    "PING\nPONG\nignored\nignored\nCONNECT [{}]\n"
    "UNSUB [1] 0\nUNSUB [22] 5\n"
    "PUB [bench.1000] [] 0 [0123456789abcdef]\n";

}  // namespace

TEST_CASE("parser: reads every command") {
  CHECK(parse({transcript}) == transcript_commands);
  CHECK(parse({transcript + transcript}) == transcript_commands + transcript_commands);
}

// Goal: how the bytes were cut into reads must never show in what was parsed.
// Method: cut one transcript in three at every pair of bytes, and hold it against the whole. Each
// read ends where memory ends.
TEST_CASE("parser: the same commands however the bytes are cut") {
  for (size_t a = 0; a <= transcript.size(); a++) {
    for (size_t b = a; b <= transcript.size(); b++) {
      CAPTURE(a);
      CAPTURE(b);
      REQUIRE(parse({transcript.substr(0, a), transcript.substr(a, b - a), transcript.substr(b)}) ==
              transcript_commands);
    }
  }
  CHECK(parse_bytewise(transcript) == transcript_commands);
}

TEST_CASE("parser: verbs have no case, blanks are spaces and tabs, LF alone ends a line") {
  check("pUb a 1\r\nx\r\n", "PUB [a] [] 0 [x]\n");
  check("PUB\ta\t1\r\nx\r\n", "PUB [a] [] 0 [x]\n");
  check("PUB \t a \t 1 \t\r\nx\r\n", "PUB [a] [] 0 [x]\n");
  check("PUB a 1\nx\r\n", "PUB [a] [] 0 [x]\n");
  check("hPuB a 0 1\nx\r\n", "HPUB [a] [] 0 [x]\n");
  check("Sub a\tb\t1\n", "SUB [a] [b] [1]\n");
  check("uNSUB 1 2\n", "UNSUB [1] 2\n");
  check("cOnNeCt\t {}\n", "CONNECT [{}]\n");
  check("ping\npong\n+ok\ninfo {}\n", "PING\nPONG\nignored\nignored\n");
}

TEST_CASE("parser: what follows the words that need no arguments is ignored") {
  check("PINGxxx\r\n", "PING\n");
  check("PING a b\0\x01 c\r\n"s, "PING\n");
  check("PING\r\r\n", "PING\n");
  check("PONG 1\n", "PONG\n");
  check("+OKAY then\r\n", "ignored\n");
  check("INFO{\r\n", "ignored\n");
  check("INFO\r\n", "ignored\n");
}

TEST_CASE("parser: CONNECT needs no blank, and its document is not looked at") {
  check("CONNECT{}\r\n", "CONNECT [{}]\n");
  check("CONNECT   {\"a\": \"b c\"} \r\n", "CONNECT [{\"a\": \"b c\"} ]\n");
  check("CONNECT\r\n", "CONNECT []\n");
  check("CONNECTED\r\n", "CONNECT [ED]\n");
  check("CONNECT {\r}\r\n", "CONNECT [{\r}]\n");
}

TEST_CASE("parser: bytes that begin no verb are refused at the first wrong one") {
  for (const std::string& stream : {"\r\n"s,
                                    "\n"s,
                                    " "s,
                                    "\t"s,
                                    "\0"s,
                                    "X"s,
                                    "MSG a 1 0\r\n\r\n"s,
                                    "M"s,
                                    "HM"s,
                                    "R"s,
                                    "A"s,
                                    "L"s,
                                    "PA"s,
                                    "PUX"s,
                                    "PUBX"s,
                                    "PUB\r\n"s,
                                    "PUB\n"s,
                                    "SUBx"s,
                                    "SUB\r\n"s,
                                    "UNSUB\n"s,
                                    "UNSU "s,
                                    "HPUB\r"s,
                                    "HPUBa"s,
                                    "PIN\n"s,
                                    "PONX"s,
                                    "CONNECX"s,
                                    "INFX"s,
                                    "+OX"s,
                                    "\x0bOK"s,
                                    "-ERX"s,
                                    "-ERR\r\n"s,
                                    "\x0d"
                                    "ERR x"s,
                                    "GET / HTTP/1.1\r\n"s,
                                    "\x16\x03\x01"s,
                                    "SSH-2.0-x\r\n"s,
                                    "*1\r\n"s,
                                    "PROXY TCP4 "s,
                                    "\xef\xbb\xbf"
                                    "CONNECT {}\r\n"s,
                                    "\x1a"s,
                                    "P\xd5"
                                    "B a 1\r\n"s,
                                    "\x10UB a 1\r\n"s,
                                    "PUB)a 1\r\n"s,
                                    "PUB\0a 1\r\n"s}) {
    check(stream, "refused: unknown_operation\n");
  }
  check("PING\r\n\r\nPING\r\n", "PING\nrefused: unknown_operation\n");
}

TEST_CASE("parser: -ERR from a client closes without a word") {
  check("PING\r\n-ERR 'x'\r\n", "PING\nrefused: parse_error\n");
  check("-err\t", "refused: parse_error\n");
}

TEST_CASE("parser: each verb has its number of arguments") {
  for (const std::string& stream :
       {"PUB \r\n"s, "PUB a\r\n"s, "PUB 1\r\n"s, "PUB a b c 1\r\nx\r\n"s, "PUB a b c d 1\r\nx\r\n"s,
        "HPUB a\r\n"s, "HPUB a 1\r\n"s, "HPUB a b c 0 0\r\n\r\n"s, "HPUB a b c d e 0 0\r\n"s,
        "SUB \r\n"s, "SUB a\r\n"s, "SUB a b c d\r\n"s, "SUB a b c d e f g h\r\n"s, "UNSUB \r\n"s,
        "UNSUB 1 2 3\r\n"s, "SUB \nfoo 1\n"s}) {
    check(stream, "refused: protocol_violation\n");
  }
}

TEST_CASE("parser: sizes are numbers of 1 to 9 digits") {
  for (const std::string& size :
       {"-1"s, "+5"s, "0x5"s, "1e3"s, "x"s, "1x"s, "x1"s, "/"s, ":"s, "1,0"s, "\xd9\xa1"s,
        "0000000005"s, "2147483648"s, "4294967296"s, "9223372036854775808"s,
        "18446744073709551621"s, std::string(64, '3'), "1234567:"s, "12345678/"s}) {
    check("PUB a " + size + "\r\nx\r\n", "refused: protocol_violation\n");
    check("PUB a b " + size + "\r\nx\r\n", "refused: protocol_violation\n");
    check("HPUB a 0 " + size + "\r\nx\r\n", "refused: protocol_violation\n");
    check("HPUB a " + size + " 3\r\nx\r\n", "refused: protocol_violation\n");
  }
  check("PUB a 000000005\r\nhello\r\n", "PUB [a] [] 0 [hello]\n");
  check("PUB a 00000005\r\nhello\r\n", "PUB [a] [] 0 [hello]\n");
  check("PUB a 0000005\r\nhello\r\n", "PUB [a] [] 0 [hello]\n");
  check("HPUB a 000000002 000000005\r\nhello\r\n", "HPUB [a] [] 2 [hello]\n");
  check("PUB a 1048577\r\n", "refused: payload_exceeded\n");
  check("PUB a 999999999\r\n", "refused: payload_exceeded\n");
  check("HPUB a 6 5\r\nhello\r\n", "refused: protocol_violation\n");
}

TEST_CASE("parser: every size up to the limit is taken, and the limit plus one is not") {
  for (uint32_t size = 0; size < 300; size++) {
    const std::string payload(size, '\n');
    const Limits limits{.payload_bytes_max = size};
    const std::string digits = std::to_string(size), more = std::to_string(size + 1);
    check("PUB a " + digits + "\r\n" + payload + "\r\n", "PUB [a] [] 0 [" + payload + "]\n",
          limits);
    check("PUB a r " + digits + "\r\n" + payload + "\r\n", "PUB [a] [r] 0 [" + payload + "]\n",
          limits);
    check("HPUB a " + digits + " " + digits + "\r\n" + payload + "\r\n",
          "HPUB [a] [] " + digits + " [" + payload + "]\n", limits);
    check("PUB a " + more + "\r\n", "refused: payload_exceeded\n", limits);
    check("HPUB a 0 " + more + "\r\n", "refused: payload_exceeded\n", limits);
  }
}

TEST_CASE("parser: the payload limit can be changed, and no limit is larger than a size can say") {
  Parser parser{Limits{}};
  Command command;
  CHECK(parser.next("PUB a 1048577\r\n", command).refusal == Refusal::payload_exceeded);
  parser.set_limits({.payload_bytes_max = UINT32_MAX});
  CHECK(parser.next("PUB a 999999999\r\n", command).needed_bytes == 17 + 999'999'999 + 2);
  parser = Parser{Limits{.payload_bytes_max = UINT32_MAX}};
  const std::string block = "PUB a 9999999x\r\n" + std::string(100, ' ');
  CHECK(parser.next(block, command).refusal == Refusal::protocol_violation);
  parser.set_limits({.payload_bytes_max = 8});
  CHECK(parser.next("PUB a 9\r\n", command).refusal == Refusal::payload_exceeded);
}

TEST_CASE("parser: HPUB is refused until headers are negotiated") {
  const std::string stream = "HPUB a 0 1\r\nx\r\n";
  CHECK(parse({stream}, {}, false) == "refused: headers_not_negotiated\n");
  CHECK(facts(Refusal::headers_not_negotiated).text.empty());
  CHECK(parse({stream}, {}, true) == "HPUB [a] [] 0 [x]\n");
}

TEST_CASE("parser: a payload ends in CR LF, and another byte there is refused when it is seen") {
  check("PUB a 2\r\nok\nPING\r\n", "refused: unknown_operation\n");
  check("PUB a 2\r\nokx", "refused: unknown_operation\n");
  check("PUB a 2\r\nok\rx", "refused: unknown_operation\n");
  check("PUB a 2\r\nokay\r\n", "refused: unknown_operation\n");
  check("PUB foo 10\r\nabc\r\nPING\r\nPING\r\n", "refused: unknown_operation\n");
  check("HPUB a 0 2\r\nok\n\n", "refused: unknown_operation\n");
  check("PUB bench.1000 16\r\n0123456789abcdef\n\n", "refused: unknown_operation\n");
}

TEST_CASE("parser: control bytes are no part of an argument") {
  for (int byte = 0; byte < 256; byte++) {
    if (byte == ' ' || byte == '\t' || byte == '\n') continue;
    const std::string word = "a"s + char(byte) + "b";
    const bool allowed = byte > ' ';
    const auto expect = [&](const std::string& command) {
      return allowed ? command : "refused: protocol_violation\n";
    };
    check("PUB " + word + " 1\r\nx\r\n", expect("PUB [" + word + "] [] 0 [x]\n"));
    check("PUB a " + word + " 1\r\nx\r\n", expect("PUB [a] [" + word + "] 0 [x]\n"));
    check("HPUB a " + word + " 1 1\r\nx\r\n", expect("HPUB [a] [" + word + "] 1 [x]\n"));
    check("SUB " + word + " 1\r\n", expect("SUB [" + word + "] [] [1]\n"));
    check("SUB a " + word + " 1\r\n", expect("SUB [a] [" + word + "] [1]\n"));
    check("SUB a " + word + "\r\n", expect("SUB [a] [] [" + word + "]\n"));
    check("UNSUB " + word + "\r\n", expect("UNSUB [" + word + "] 0\n"));
  }
  for (const char byte : {'\0', '\x01', '\r', '\x1f'}) {  // Nor do they stand between arguments.
    const std::string between(1, byte);
    for (const std::string& line :
         {"PUB a" + between + "1", "PUB a r" + between + "1", "HPUB a" + between + "1 1",
          "HPUB a 1" + between + "1", "HPUB a r" + between + "1 1", "HPUB a r 1" + between + "1"}) {
      check(line + "\r\nx\r\n", "refused: protocol_violation\n");
    }
  }
  check("PUB a 2\rx\n", "refused: protocol_violation\n");
  check("SUB a 1\r\r\n", "refused: protocol_violation\n");
}

TEST_CASE("parser: the maximum of UNSUB is a number") {
  check("UNSUB 1 0\r\n", "UNSUB [1] 0\n");
  check("UNSUB 1 999999999\r\n", "UNSUB [1] 999999999\n");
  check("UNSUB 1 000000005\r\n", "UNSUB [1] 5\n");
  for (const char* max : {"-1", "x", "1.0", "1000000000", "0000000005"}) {
    check("UNSUB 1 "s + max + "\r\n", "refused: invalid_unsub_max\n");
  }
}

// Goal: 4096 bytes of arguments pass and one more does not, in all commands, and the verdict on an
// endless line does not wait for its end.
TEST_CASE("parser: the control line limit is exact, with and without a line end") {
  const std::string most(4096, 'a'), over(4097, 'a');
  const std::string exceeded = "refused: control_line_exceeded\n";
  const std::string subject(4094, 'a');
  check("SUB " + subject + " 1\r\n", "SUB [" + subject + "] [] [1]\n");
  check("SUB a" + subject + " 1\r\n", exceeded);
  check("SUB " + subject + " 1 \r\n", exceeded);
  check("PUB " + subject + " 1\r\nx\r\n", "PUB [" + subject + "] [] 0 [x]\n");
  check("PUB a" + subject + " 1\r\nx\r\n", exceeded);
  check("CONNECT " + most + "\r\n", "CONNECT [" + most + "]\n");
  check("CONNECT" + most + "\r\n", "CONNECT [" + most + "]\n");
  check("UNSUB " + most + "\r\n", "UNSUB [" + most + "] 0\n");
  check("PING" + most + "\r\n", "PING\n");
  check("PONG" + most + "\n", "PONG\n");
  check("+OK" + most + "\n", "ignored\n");
  check("INFO" + most + "\n", "ignored\n");
  for (const char* verb :
       {"PUB ", "HPUB ", "SUB ", "UNSUB ", "CONNECT ", "CONNECT", "PING", "PONG", "+OK", "INFO"}) {
    check(verb + over, exceeded);
    check(verb + over + "\r\n", exceeded);
    CHECK(parse({verb + most + "\r"}).empty());
    CHECK(parse({verb + most + "\r", "x"}) == exceeded);
    CHECK(parse({verb + most, "\rx\r\n"}) == exceeded);
    CHECK(parse({verb + most}).empty());
    CHECK(parse({verb + most, "a"}) == exceeded);
  }
}

TEST_CASE("parser: a limit of ones own") {
  const Limits limits{.control_line_bytes_max = 3};
  check("SUB a 1\r\n", "SUB [a] [] [1]\n", limits);
  check("SUB a 12\r\n", "refused: control_line_exceeded\n", limits);
  check("PUB a 1\r\nx\r\n", "PUB [a] [] 0 [x]\n", limits);
  check("PUB ab 1\r\nx\r\n", "refused: control_line_exceeded\n", limits);
}

TEST_CASE("parser: blanks before the arguments are not counted as arguments, but bounded") {
  const std::string blanks(4096, ' '), subject(4094, 'a');
  check("SUB " + blanks.substr(1) + "\t" + subject.substr(1) + " 1\r\n",
        "SUB [" + subject.substr(1) + "] [] [1]\n");
  check("SUB " + blanks + blanks + "a 1\r\n", "refused: control_line_exceeded\n");
  check("SUB " + blanks + blanks + "\t", "refused: control_line_exceeded\n");
  check("CONNECT" + blanks + "{}\r\n", "CONNECT [{}]\n");
  CHECK(parse({"SUB" + blanks + blanks}).empty());
}

TEST_CASE("parser: asks for one byte more of a line, and for all of a message") {
  const auto needed = [](std::string_view stream) {
    CommandLog log(memory());
    log.feed(stream);
    return log.needed_bytes();
  };
  CHECK(needed("") == 1);
  CHECK(needed("P") == 2);
  CHECK(needed("PUB") == 4);
  CHECK(needed("PUB a 100") == 10);
  CHECK(needed("PUB a 100\r") == 11);
  CHECK(needed("PUB a 100\r\n") == 11 + 100 + 2);
  CHECK(needed("PUB a 3\r\nabc") == 9 + 3 + 2);
  CHECK(needed("PUB a 3\r\nabc\r") == 9 + 3 + 2);
  CHECK(needed("HPUB a 0 3\r\n") == 12 + 3 + 2);
  CHECK(needed("PING\r\nPING") == 5);
}

TEST_CASE("parser: writes the fields of the command's kind and no others") {
  Parser parser{Limits{}};
  Command command;
  command.document = "kept";
  REQUIRE(parser.next("SUB a q 7\r\n", command).kind == StepKind::command);
  REQUIRE(parser.next("PUB b r 1\r\nx\r\n", command).kind == StepKind::command);
  CHECK(command.queue == "q");
  CHECK(command.sid == "7");
  CHECK(command.document == "kept");
  REQUIRE(parser.next("PUB b 1\r\nx\r\n", command).kind == StepKind::command);
  CHECK(command.reply.empty());
  REQUIRE(parser.next("SUB a 7\r\n", command).kind == StepKind::command);
  CHECK(command.queue.empty());
  CHECK(command.message == "x");
  CHECK(command.message.data()[1] == '\r');
  CHECK(command.message.data()[2] == '\n');
}

TEST_CASE("parser: words of every length, across the edges of its blocks") {
  for (size_t bytes = 1; bytes < 200; bytes++) {
    const std::string word(bytes, 'w');
    check("PUB " + word + " 1\r\nx\r\n", "PUB [" + word + "] [] 0 [x]\n");
    check("PUB " + word + " r 1\r\nx\r\n", "PUB [" + word + "] [r] 0 [x]\n");
    check("PUB s " + word + " 1\r\nx\r\n", "PUB [s] [" + word + "] 0 [x]\n");
    check("PUB s" + std::string(bytes, ' ') + "1\r\nx\r\n", "PUB [s] [] 0 [x]\n");
    check("SUB " + word + " " + word + " 1\r\n", "SUB [" + word + "] [" + word + "] [1]\n");
  }
}

// Goal: as above, for streams that nobody thought of.
// Method: glue fragments of the grammar together at random and spoil some bytes; the whole, single
// bytes, and random cuts must come to the same. PEAL_SEED repeats a run.
TEST_CASE("parser: random streams come out the same however they are cut") {
  const char* const given = std::getenv("PEAL_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261121;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](size_t bound) { return size_t(random() % bound); };
  const std::vector<std::string> fragments = {"PUB ",
                                              "PUB a 3\r\n",
                                              "abc",
                                              "\r\n",
                                              "\n",
                                              "\r",
                                              " ",
                                              "\t",
                                              "SUB a 1\r\n",
                                              "foo.bar",
                                              "HPUB a 2 5\r\n",
                                              "hello",
                                              "PING\r\n",
                                              "PONG\r\n",
                                              "CONNECT {}\r\n",
                                              "UNSUB 1\r\n",
                                              "UNSUB 1 ",
                                              "5",
                                              "16",
                                              "PUB foo.bar.baz 16\r\n0123456789abcdef\r\n",
                                              "PUB foo r 3\r\nabc\r\n",
                                              "pub x 0\r\n\r\n",
                                              "+OK\r\n",
                                              "INFO {}\r\n",
                                              "HPUB a r 2 5\r\nhello\r\n"};
  const Limits limits{.control_line_bytes_max = 40, .payload_bytes_max = 64};
  for (int round = 0; round < 20'000; round++) {
    std::string stream;
    for (size_t i = below(12) + 1; i > 0; i--) stream += fragments[below(fragments.size())];
    if (below(3) == 0) stream[below(stream.size())] = char(below(256));
    CAPTURE(round);
    CAPTURE(stream);

    const std::string whole = parse({stream}, limits);
    REQUIRE(parse_bytewise(stream, limits) == whole);
    CommandLog log(memory(), limits);
    for (std::string_view rest = stream; !rest.empty();) {
      const size_t bytes = std::min(rest.size(), below(30) + 1);
      log.feed(rest.substr(0, bytes));
      rest.remove_prefix(bytes);
    }
    REQUIRE(log.text() == whole);
  }
}
