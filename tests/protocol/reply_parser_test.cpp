#include "protocol/reply_parser.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/headers.hpp"
#include "protocol/info.hpp"
#include "protocol/writer.hpp"
#include "tests/support/guarded_bytes.hpp"

using namespace peal::protocol;

namespace {

std::string text_of(const Reply& reply) {
  const auto part = [](std::string_view text) { return " [" + std::string(text) + "]"; };
  const auto message = [&] {
    return part(reply.subject) + part(reply.sid) + part(reply.reply) + " " +
           std::to_string(reply.header_bytes) + part(reply.message);
  };
  switch (reply.kind) {
    case ReplyKind::info:
      return "INFO" + part(reply.text);
    case ReplyKind::msg:
      return "MSG" + message();
    case ReplyKind::hmsg:
      return "HMSG" + message();
    case ReplyKind::ping:
      return "PING";
    case ReplyKind::pong:
      return "PONG";
    case ReplyKind::ok:
      return "+OK";
    case ReplyKind::err:
      return "-ERR" + part(reply.text);
  }
  std::abort();
}

std::string parse(std::initializer_list<std::string_view> reads) {
  static peal::test::GuardedBytes memory(1 << 20);
  ReplyParser parser;
  std::string pending, text;
  for (const std::string_view read : reads) {
    pending += read;
    std::string_view input = memory.place(pending);
    for (;;) {
      Reply reply;
      const Step step = parser.next(input, reply);
      if (step.kind == StepKind::refused) return text + "refused\n";
      if (step.kind == StepKind::need_more) {
        REQUIRE(step.needed_bytes > input.size());
        break;
      }
      text += text_of(reply) + "\n";
      input.remove_prefix(step.consumed_bytes);
    }
    pending.erase(0, pending.size() - input.size());
  }
  return text;
}

const std::string transcript =
    "INFO {\"a\":\"b c\"} \r\n+OK\r\nPING\r\nPONG\r\n"
    "-ERR 'Unknown Protocol Operation'\r\n"
    "MSG foo 1 5\r\nhello\r\nMSG foo 22 _INBOX.1 2\r\n\r\n\r\n"
    "HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\nHMSG a 1 r 0 0\r\n\r\n"
    "MSG foo.bar.baz 3 16\r\n0123456789abcdef\r\n"
    "MSG foo.bar.baz 3 r 16\r\n0123456789abcdef\r\nPONG\r\n";

const std::string transcript_replies =
    "INFO [{\"a\":\"b c\"}]\n+OK\nPING\nPONG\n-ERR [Unknown Protocol Operation]\n"
    "MSG [foo] [1] [] 0 [hello]\nMSG [foo] [22] [_INBOX.1] 0 [\r\n]\n"
    "HMSG [a] [1] [] 12 [NATS/1.0\r\n\r\nhi]\nHMSG [a] [1] [r] 0 []\n"
    "MSG [foo.bar.baz] [3] [] 0 [0123456789abcdef]\n"
    "MSG [foo.bar.baz] [3] [r] 0 [0123456789abcdef]\nPONG\n";

}  // namespace

TEST_CASE("reply parser: the same replies however the bytes are cut") {
  REQUIRE(parse({transcript}) == transcript_replies);
  for (size_t a = 0; a <= transcript.size(); a++) {
    for (size_t b = a; b <= transcript.size(); b++) {
      REQUIRE(parse({transcript.substr(0, a), transcript.substr(a, b - a), transcript.substr(b)}) ==
              transcript_replies);
    }
  }
}

TEST_CASE("reply parser: refuses what no server says") {
  const std::string after(100, '\n');
  for (const std::string& stream :
       {std::string("\r\n"), std::string("PUB a 0\r\n\r\n"), std::string("MSG a 1\r\n"),
        std::string("MSG a 1 r s 1\r\n"), std::string("MSG a 1 x\r\n"),
        std::string("MSG a\r1 1 1\r\n"), std::string("HMSG a 1 1\r\n"),
        std::string("HMSG a 1 2 1\r\n"), std::string("MSG a 1 1\r\nxy"),
        std::string("MSG a 1 1\r\nx\ry")}) {
    CAPTURE(stream);
    CHECK(parse({stream}) == "refused\n");
    CHECK(parse({stream + after}) == "refused\n");
  }
}

// Goal: what the writer writes is what the reply parser reads, for words of every length.
// Method: random messages into memory of just the promised size.
TEST_CASE("writer: its messages are read back") {
  std::mt19937 random(3);
  const auto word = [&](size_t bytes_max) {
    std::string text(1 + random() % bytes_max, 'a');
    for (char& letter : text) letter = char('!' + random() % 90);
    return text;
  };
  std::string stream, expected;
  for (size_t round = 0; round < 2000; round++) {
    const std::string subject = word(round % 100 + 1), sid = word(round % 40 + 1);
    const std::string reply = round % 2 == 0 ? "" : word(round % 70 + 1);
    const std::string payload(random() % 300, char('a' + round % 26));
    const size_t header_bytes = payload.size() / 2;
    const size_t sizes[] = {subject.size(), sid.size(), reply.size()};

    std::vector<char> msg(msg_head_bytes_max(sizes[0], sizes[1], sizes[2]));
    char* end = write_msg_head(msg.data(), subject, sid, reply, payload.size());
    REQUIRE(size_t(end - msg.data()) <= msg.size());
    stream.append(msg.data(), end).append(payload).append("\r\n");
    expected += "MSG [" + subject + "] [" + sid + "] [" + reply + "] 0 [" + payload + "]\n";

    std::vector<char> hmsg(hmsg_head_bytes_max(sizes[0], sizes[1], sizes[2]));
    end = write_hmsg_head(hmsg.data(), subject, sid, reply, header_bytes, payload.size());
    REQUIRE(size_t(end - hmsg.data()) <= hmsg.size());
    stream.append(hmsg.data(), end).append(payload).append("\r\n");
    expected += "HMSG [" + subject + "] [" + sid + "] [" + reply + "] " +
                std::to_string(header_bytes) + " [" + payload + "]\n";
  }
  CHECK(parse({stream}) == expected);
}

TEST_CASE("writer: the plain lines and what others write are read back") {
  char out[256];
  char* const end = write_no_responders(out, "r", "7", "s");
  const std::string stream = std::string(ok_line) + std::string(ping_line) +
                             std::string(pong_line) + info_line(Info{}) +
                             err_line(Refusal::stale_connection) + std::string(out, end);
  const std::string text = parse({stream});
  CHECK(text.starts_with("+OK\nPING\nPONG\nINFO [{"));
  CHECK(
      text.ends_with("-ERR [Stale Connection]\n"
                     "HMSG [r] [7] [] 33 [NATS/1.0 503\r\nNats-Subject: s\r\n\r\n]\n"));
}
