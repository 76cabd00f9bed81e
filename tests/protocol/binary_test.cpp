// The framing binary/1: what the server reads of a client, and a client of the server. What is said
// in frames is held against the same said in lines.

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/binary_parser.hpp"
#include "protocol/binary_reply_parser.hpp"
#include "protocol/binary_writer.hpp"
#include "tests/support/command_log.hpp"
#include "tests/support/frame_log.hpp"
#include "tests/support/guarded_bytes.hpp"

using namespace peal::protocol;
using peal::test::CommandLog;
using peal::test::FrameLog;
using peal::test::GuardedBytes;

namespace {

GuardedBytes& memory() {
  static GuardedBytes bytes(1 << 20);
  return bytes;
}

std::string text(Operation operation, std::string_view said = {}) {
  std::string out(text_frame_bytes(said.size()), '\0');
  write_text_frame(out.data(), operation, said);
  return out;
}

std::string message(Operation operation, const FramedMessage& head, std::string_view content) {
  std::string out(message_head_bytes_max(head.subject.size(), head.reply.size()), '\0');
  FramedMessage whole = head;
  whole.message_bytes = content.size();
  out.resize(size_t(write_message_head(out.data(), operation, whole) - out.data()));
  return out += content;
}

std::string batch(Operation operation, uint32_t id, std::string_view subject,
                  const std::vector<std::string>& messages) {
  std::string out(batch_head_bytes(subject.size()), '\0');
  write_batch_head(out.data(), operation,
                   {.id = id,
                    .subject = subject,
                    .message_bytes = uint32_t(messages.front().size()),
                    .messages = uint32_t(messages.size())});
  for (const std::string& each : messages) out += each;
  return out;
}

std::string sub(uint32_t sid, std::string_view filter, std::string_view queue = {}) {
  std::string out(sub_bytes_max(filter.size(), queue.size()), '\0');
  out.resize(size_t(write_sub(out.data(), sid, filter, queue) - out.data()));
  return out;
}

std::string unsub(uint32_t sid, uint32_t max = 0) {
  std::string out(frame_head_bytes, '\0');
  write_unsub(out.data(), sid, max);
  return out;
}

std::string raw(const FrameHead& head, std::string_view body = {}) {
  std::string out(frame_head_bytes, '\0');
  write_frame_head(out.data(), head);
  return out += body;
}

std::string parse(std::string_view stream, size_t read_bytes = SIZE_MAX, const Limits& limits = {},
                  bool headers = true, size_t taken_max = SIZE_MAX) {
  FrameLog log(memory(), limits, headers, taken_max);
  while (!stream.empty()) {
    log.feed(stream.substr(0, read_bytes));
    stream.remove_prefix(std::min(read_bytes, stream.size()));
  }
  return log.text();
}

std::string parse_lines(std::string_view stream) {
  CommandLog log(memory());
  log.feed(stream);
  return log.text();
}

void check(const std::string& stream, const std::string& expected, const Limits& limits = {}) {
  CAPTURE(stream);
  CHECK(parse(stream, SIZE_MAX, limits) == expected);
  CHECK(parse(stream, 1, limits) == expected);
  CHECK(parse(stream, 1000, limits, true, 1) == expected);
}

const std::string long_name(70'000, 'n');

const std::string transcript =
    text(Operation::connect, "{\"verbose\":false}") + sub(1, "foo.*") +
    sub(4294967295, "foo", "q") + message(Operation::pub, {.subject = "foo"}, "hello") +
    message(Operation::pub, {.subject = "foo", .reply = "_INBOX.1"}, "\r\n\r\n") +
    message(Operation::pub, {.subject = "a.b", .header_bytes = 12}, "NATS/1.0\r\n\r\nhi") +
    batch(Operation::pub_batch, 0, "bench", {"0123456789abcdef", "fedcba9876543210"}) +
    message(Operation::pub, {.subject = "x"}, "") + text(Operation::ping) + text(Operation::pong) +
    batch(Operation::pub_batch, 0, "y", {"a", "b", "c"}) + unsub(1) + unsub(4294967295, 5);

const std::string same_in_lines =
    "CONNECT {\"verbose\":false}\r\nSUB foo.* 1\r\nSUB foo q 4294967295\r\n"
    "PUB foo 5\r\nhello\r\nPUB foo _INBOX.1 4\r\n\r\n\r\n\r\n"
    "HPUB a.b 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    "PUB bench 16\r\n0123456789abcdef\r\nPUB bench 16\r\nfedcba9876543210\r\n"
    "PUB x 0\r\n\r\nPING\r\nPONG\r\n"
    "PUB y 1\r\na\r\nPUB y 1\r\nb\r\nPUB y 1\r\nc\r\nUNSUB 1\r\nUNSUB 4294967295 5\r\n";

FrameHead head_of(Operation operation, uint32_t body_bytes = 0) {
  FrameHead head;
  head.operation = operation;
  head.body_bytes = body_bytes;
  return head;
}

}  // namespace

TEST_CASE("binary: frames say what lines say") {
  CHECK(parse(transcript) == parse_lines(same_in_lines));
}

// Goal: as for lines. Method: one transcript cut in three at every pair of bytes, each read ending
// where memory ends.
TEST_CASE("binary: the same commands however the bytes are cut") {
  const std::string expected = parse_lines(same_in_lines);
  for (size_t a = 0; a <= transcript.size(); a++) {
    for (size_t b = a; b <= transcript.size(); b += 1 + (a % 3)) {
      FrameLog log(memory());
      log.feed(std::string_view(transcript).substr(0, a));
      log.feed(std::string_view(transcript).substr(a, b - a));
      log.feed(std::string_view(transcript).substr(b));
      REQUIRE(log.text() == expected);
    }
  }
  CHECK(parse(transcript, 1) == expected);
  CHECK(parse(transcript, SIZE_MAX, {}, true, 1) == expected);
}

TEST_CASE("binary: aliases are told with the frame, and what they stand for is not asked") {
  check(message(Operation::pub, {.id = 7, .subject = "a"}, "x") +
            message(Operation::pub, {.id = 7}, "y") +
            batch(Operation::pub_batch, 4294967295, "", {"1", "2"}),
        "#7 PUB [a] [] 0 [x]\n#7 PUB [] [] 0 [y]\n#4294967295 PUB [] [] 0 [1]\n"
        "#4294967295 PUB [] [] 0 [2]\n");
}

TEST_CASE("binary: lengths beyond 16 bits stand in front of the body") {
  const Limits limits{.control_line_bytes_max = 200'000, .payload_bytes_max = 200'000};
  const std::string headers = "NATS/1.0\r\n" + std::string(70'000, 'h');
  check(message(Operation::pub, {.subject = long_name, .reply = "r"}, "x"),
        "PUB [" + long_name + "] [r] 0 [x]\n", limits);
  check(message(Operation::pub, {.subject = "a", .reply = long_name}, ""),
        "PUB [a] [" + long_name + "] 0 []\n", limits);
  check(message(Operation::pub, {.subject = "a", .header_bytes = uint32_t(headers.size())},
                headers + "p"),
        "HPUB [a] [] " + std::to_string(headers.size()) + " [" + headers + "p]\n", limits);
  check(sub(3, long_name, "q"), "SUB [" + long_name + "] [q] [3]\n", limits);
}

TEST_CASE("binary: asks for a head, then for all of a frame; of a batch, for its next message") {
  const auto needed = [](std::string_view stream) {
    FrameLog log(memory());
    log.feed(stream);
    return log.needed_bytes();
  };
  const std::string pub = message(Operation::pub, {.subject = "abc"}, "hello");
  CHECK(needed(pub.substr(0, 3)) == 16);
  CHECK(needed(pub.substr(0, 16)) == 24);
  const std::string many = batch(Operation::pub_batch, 0, "abc", {"four", "more"});
  CHECK(needed(many.substr(0, 16)) == 19);
  CHECK(needed(many.substr(0, 19)) == 4);
  CHECK(needed(many.substr(0, 20)) == 4);
}

TEST_CASE("binary: what is reserved, or has no meaning in a frame, is refused") {
  const std::string invalid = "refused: invalid_frame\n";
  for (int bit = 1; bit < 8; bit++) {
    FrameHead head = head_of(Operation::pub, 1);
    head.subject_bytes = 1;
    head.flags = uint8_t(1 << bit);
    check(raw(head, "a"), invalid);
  }
  for (const Operation operation : {Operation::ping, Operation::pong, Operation::connect}) {
    for (int field = 0; field < 5; field++) {
      FrameHead head = head_of(operation);
      if (field == 0) head.flags = 1;
      if (field == 1) head.subject_bytes = 1;
      if (field == 2) head.id = 1;
      if (field == 3) head.reply_bytes = 1;
      if (field == 4) head.header_bytes = 1;
      check(raw(head), invalid);
    }
  }
  check(raw(head_of(Operation::ping, UINT32_MAX)), invalid);
  for (int operation = 0; operation < 256; operation++) {
    const bool known = operation >= 1 && operation <= 7;
    if (!known) check(raw(head_of(Operation(operation))), "refused: unknown_operation\n");
  }
}

TEST_CASE("binary: lengths that do not fit the body are refused, however large") {
  const std::string invalid = "refused: invalid_frame\n";
  for (const uint32_t body_bytes : {0u, 1u, 65'534u * 3, UINT32_MAX}) {
    FrameHead head = head_of(Operation::pub, body_bytes);
    check(raw(head), invalid);  // Neither subject nor alias.
    head = head_of(Operation::sub, body_bytes);
    head.subject_bytes = head.reply_bytes = 0xffff;
    if (body_bytes != 2 * 0xffff) check(raw(head), invalid);
  }
  FrameHead head = head_of(Operation::pub, 12);
  head.flags = long_lengths_flag;
  for (const FrameLengths& lengths :
       {FrameLengths{UINT32_MAX, UINT32_MAX, UINT32_MAX}, FrameLengths{1, 0, 0},
        FrameLengths{UINT32_MAX, 1, 0}, FrameLengths{0, 0, UINT32_MAX}}) {
    std::string body(sizeof lengths, '\0');
    std::memcpy(body.data(), &lengths, sizeof lengths);
    check(raw(head, body), invalid);
  }
  head.body_bytes = 11;
  check(raw(head), invalid);
  head.body_bytes = 13;
  head.reply_bytes = 1;
  check(raw(head), invalid);
}

TEST_CASE("binary: a batch comes out even and has one message at least") {
  const std::string invalid = "refused: invalid_frame\n";
  const auto head = [](uint32_t body_bytes, uint16_t subject_bytes, uint32_t size) {
    FrameHead made = head_of(Operation::pub_batch, body_bytes);
    made.subject_bytes = subject_bytes;
    made.set_number(size);
    return raw(made, "ab");
  };
  check(head(1, 1, 1), invalid);
  check(head(0, 1, 1), invalid);
  check(head(2, 1, 0), invalid);
  check(head(4, 1, 2), invalid);
  check(head(1, 0, 1), invalid);
  check(head(UINT32_MAX, 1, UINT32_MAX), invalid);
  check(head(UINT32_MAX, 0xffff, UINT32_MAX), invalid);
  check(head(2, 1, 1), "PUB [a] [] 0 [b]\n");
  CHECK(batch_messages_max(10, 0) == 0);
  CHECK(batch_messages_max(15, 16) == UINT32_MAX / 16);
  // The longest that can be said: what is there is taken.
  check(head(UINT32_MAX, 1, 1), "PUB [a] [] 0 [b]\n");
}

TEST_CASE("binary: limits are exact, and seen before what exceeds them") {
  const Limits limits{.control_line_bytes_max = 10, .payload_bytes_max = 20};
  const std::string ten(10, 's'), twenty(20, 'p');
  check(message(Operation::pub, {.subject = ten}, twenty),
        "PUB [" + ten + "] [] 0 [" + twenty + "]\n", limits);
  check(message(Operation::pub, {.subject = ten.substr(1), .reply = "r"}, ""),
        "PUB [sssssssss] [r] 0 []\n", limits);
  const auto first = [](const std::string& frame) { return frame.substr(0, frame_head_bytes); };
  const std::string line = "refused: control_line_exceeded\n";
  const std::string payload = "refused: payload_exceeded\n";
  check(first(message(Operation::pub, {.subject = ten + "s"}, "")), line, limits);
  check(first(message(Operation::pub, {.subject = ten, .reply = "r"}, "")), line, limits);
  check(first(sub(1, ten, "q")), line, limits);
  check(first(text(Operation::connect, ten + "}")), line, limits);
  check(first(batch(Operation::pub_batch, 0, ten + "s", {"x"})), line, limits);
  check(first(message(Operation::pub, {.subject = ten}, twenty + "p")), payload, limits);
  check(first(batch(Operation::pub_batch, 1, "", {twenty + "p"})), payload, limits);
  check(first(message(Operation::pub, {.id = 1, .header_bytes = 20}, twenty + "p")), payload,
        limits);

  BinaryParser parser(limits);
  Frame frame;
  const std::string begun = batch(Operation::pub_batch, 1, "", {twenty, twenty});
  CHECK(parser.next(begun, frame).consumed_bytes == frame_head_bytes);
  parser.set_limits({.control_line_bytes_max = 10, .payload_bytes_max = 19});
  CHECK(parser.next(twenty, frame).refusal == Refusal::payload_exceeded);
}

TEST_CASE("binary: headers are refused until they have been negotiated") {
  const std::string frame = message(Operation::pub, {.subject = "a", .header_bytes = 1}, "x");
  CHECK(parse(frame, SIZE_MAX, {}, false) == "refused: headers_not_negotiated\n");
  CHECK(parse(frame) == "HPUB [a] [] 1 [x]\n");
}

TEST_CASE("binary: a name that could not stand in a line is refused, wherever it is wrong") {
  const std::string invalid = "refused: invalid_frame\n";
  for (int byte = 0; byte < 256; byte++) {
    for (const size_t at : {0u, 1u, 30u, 63u, 64u, 65u, 129u}) {
      std::string name(130, 'n');
      name[at] = char(byte);
      const bool good = byte > ' ';
      const auto expect = [&](const std::string& said) { return good ? said : invalid; };
      CHECK(parse(message(Operation::pub, {.subject = name}, "")) ==
            expect("PUB [" + name + "] [] 0 []\n"));
      CHECK(parse(message(Operation::pub, {.id = 1, .reply = name}, "")) ==
            expect("#1 PUB [] [" + name + "] 0 []\n"));
      CHECK(parse(sub(1, "a", name)) == expect("SUB [a] [" + name + "] [1]\n"));
      CHECK(parse(sub(1, name)) == expect("SUB [" + name + "] [] [1]\n"));
      CHECK(parse(batch(Operation::pub_batch, 0, name, {"x"})) ==
            expect("PUB [" + name + "] [] 0 [x]\n"));
    }
  }
}

// Goal: as for lines. Method: frames that are spoilt by chance; whole, byte by byte, in pieces, and
// with fewer messages taken than given, they come to the same. PEAL_SEED repeats a run.
TEST_CASE("binary: spoilt streams come out the same however they are cut") {
  const char* const given = std::getenv("PEAL_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261125;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](size_t bound) { return size_t(random() % bound); };
  const std::vector<std::string> frames = {
      message(Operation::pub, {.subject = "foo"}, "hello"),
      message(Operation::pub, {.id = 3, .subject = "foo", .reply = "bar"}, ""),
      message(Operation::pub, {.id = 3, .header_bytes = 2}, "hello"),
      batch(Operation::pub_batch, 3, "", {"aa", "bb", "cc", "dd"}),
      batch(Operation::pub_batch, 0, "foo.bar", {"0123456789", "abcdefghij"}),
      sub(9, "foo.*", "q"),
      unsub(9, 4),
      text(Operation::ping),
      text(Operation::connect, "{}")};
  const Limits limits{.control_line_bytes_max = 40, .payload_bytes_max = 64};
  for (int round = 0; round < 20'000; round++) {
    std::string stream;
    for (size_t i = below(6) + 1; i > 0; i--) stream += frames[below(frames.size())];
    if (below(3) > 0) stream[below(stream.size())] = char(below(3) == 0 ? below(256) : below(4));
    CAPTURE(round);
    const std::string whole = parse(stream, SIZE_MAX, limits);
    REQUIRE(parse(stream, 1, limits) == whole);
    REQUIRE(parse(stream, 2 + below(30), limits, true, 1 + below(3)) == whole);
  }
}

// ---- What a server says.

namespace {

std::string parse_replies(std::string_view stream, size_t read_bytes) {
  BinaryReplyParser parser;
  std::string pending, out;
  while (!stream.empty()) {
    pending += stream.substr(0, read_bytes);
    stream.remove_prefix(std::min(read_bytes, stream.size()));
    std::string_view input = memory().place(pending);
    for (bool more = true; more;) {
      BinaryReply reply;
      const Step step = parser.next(input, reply);
      more = step.kind == StepKind::command;
      if (step.kind == StepKind::refused) return out + "refused\n";
      if (!more) {
        REQUIRE(step.needed_bytes > input.size());
        break;
      }
      if (reply.kind == ReplyKind::msg) {
        out += "MSG " + std::to_string(reply.sid) + " [" + std::string(reply.subject) + "] [" +
               std::string(reply.reply) + "] " + std::to_string(reply.header_bytes) + " [" +
               std::string(reply.message) + "]\n";
      } else {
        out += std::to_string(int(reply.kind)) + " [" + std::string(reply.text) + "]\n";
      }
      input.remove_prefix(step.consumed_bytes);
    }
    pending.erase(0, pending.size() - input.size());
  }
  return out;
}

}  // namespace

TEST_CASE("binary: a client reads all that a server says, however it is cut") {
  const std::string stream =
      text(Operation::info, "{}") + message(Operation::msg, {.id = 9, .subject = "a.b"}, "hi") +
      message(Operation::msg, {.id = 4294967295, .reply = "r", .header_bytes = 1}, "hi") +
      batch(Operation::msg_batch, 9, "a", {"one", "two"}) +
      batch(Operation::msg_batch, 1, "", {"1"}) + text(Operation::ping) + text(Operation::pong) +
      text(Operation::ok) + text(Operation::err, "No");
  const std::string expected =
      "0 [{}]\nMSG 9 [a.b] [] 0 [hi]\nMSG 4294967295 [] [r] 1 [hi]\n"
      "MSG 9 [a] [] 0 [one]\nMSG 9 [a] [] 0 [two]\nMSG 1 [] [] 0 [1]\n3 []\n4 []\n5 []\n6 [No]\n";
  for (size_t read_bytes = 1; read_bytes <= stream.size(); read_bytes++) {
    CHECK(parse_replies(stream, read_bytes) == expected);
  }
  const std::string long_one = message(Operation::msg, {.id = 2, .subject = long_name}, "x");
  for (const size_t read_bytes : {1000u, 100'000u}) {
    CHECK(parse_replies(long_one, read_bytes) == "MSG 2 [" + long_name + "] [] 0 [x]\n");
  }
}

TEST_CASE("binary: a server that lies about lengths is caught") {
  FrameHead head = head_of(Operation::msg, 3);
  head.subject_bytes = 4;
  CHECK(parse_replies(raw(head, "abc"), 100) == "refused\n");
  head = head_of(Operation::msg_batch, 3);
  CHECK(parse_replies(raw(head, "abc"), 100) == "refused\n");
  head.set_number(2);
  CHECK(parse_replies(raw(head, "abc"), 100) == "refused\n");
  head = head_of(Operation::msg, 11);
  head.flags = long_lengths_flag;
  CHECK(parse_replies(raw(head, "abc"), 100) == "refused\n");
  CHECK(parse_replies(raw(head_of(Operation::pub)), 100) == "refused\n");
}

TEST_CASE("binary: a sid is a number in frames and its digits elsewhere") {
  for (const uint32_t sid : {0u, 1u, 9u, 10u, 99'999'999u, 4'294'967'295u}) {
    CHECK(subscription_number(std::to_string(sid)) == sid);
  }
}
