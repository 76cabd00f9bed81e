#include "tools/bench/message_block.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "protocol/binary_parser.hpp"
#include "protocol/reply_parser.hpp"
#include "tools/bench/subjects.hpp"

namespace peal::bench {
namespace {

TEST_CASE("message block: is the PUB that one would write, as often as it fits") {
  MessageBlock block({.subject = "a.b", .reply = {}, .payload_bytes = 3, .headers = 0}, 40);
  CHECK(block.messages() == 2);
  CHECK(block.first(1) == "PUB a.b 3\r\nabc\r\n");
  CHECK(block.first(2) == "PUB a.b 3\r\nabc\r\nPUB a.b 3\r\nabc\r\n");
  block.payload(1)[0] = 'X';
  CHECK(block.first(2) == "PUB a.b 3\r\nabc\r\nPUB a.b 3\r\nXbc\r\n");
}

// Goal: what is sent in frames says the same. Method: the server's parser reads it.
TEST_CASE("message block: in frames it is one batch, or a PUB for each where they differ") {
  const auto read = [](std::string_view bytes, size_t messages_wanted) {
    protocol::BinaryParser parser{protocol::Limits{}};
    parser.allow_headers(true);
    protocol::Frame frame;
    size_t frames = 0, messages = 0;
    while (!bytes.empty()) {
      const protocol::Step step = parser.next(bytes, frame);
      REQUIRE(step.kind == protocol::StepKind::command);
      bytes.remove_prefix(step.consumed_bytes);
      frames += frame.kind != protocol::FrameKind::messages;
      messages += frame.kind == protocol::FrameKind::messages  ? frame.messages
                  : frame.kind == protocol::FrameKind::command ? 1
                                                               : 0;
      if (frame.kind != protocol::FrameKind::messages) CHECK(frame.command.subject == "a.0000001");
    }
    CHECK(messages == messages_wanted);
    return frames;
  };
  const MessageShape shape{.subject = "a.0000001", .payload_bytes = 5, .binary = true};
  MessageBlock batch(shape, 100);
  CHECK(batch.messages() == 20);
  CHECK(read(batch.first(20), 20) == 1);
  batch.payload(2)[0] = 'X';
  CHECK(batch.first(3) == std::string(batch.first(3).substr(0, 25)) + "abcdeabcdeXbcde");
  CHECK(read(batch.first(3), 3) == 1);
  for (const bool leaves : {false, true}) {
    MessageShape other = shape;
    other.leaves = leaves;
    other.headers = leaves ? 0 : 1;
    MessageBlock single(other, 1000);
    CHECK(std::string_view(single.leaf(1), leaf_digits) == "0000001");
    CHECK(std::string_view(single.payload(1), 5) == "abcde");
    CHECK(read(single.first(4), 4) == 4);
  }
}

TEST_CASE("message block: has one message at least, however large") {
  const MessageBlock block({.subject = "a", .reply = {}, .payload_bytes = 1000, .headers = 0}, 10);
  CHECK(block.messages() == 1);
}

TEST_CASE("message block: headers make it an HPUB with both sizes") {
  const std::string bytes =
      pub_bytes({.subject = "a", .reply = "r", .payload_bytes = 2, .headers = 1});
  const std::string headers = header_block(1);
  CHECK(bytes == "HPUB a r " + std::to_string(headers.size()) + " " +
                     std::to_string(headers.size() + 2) + "\r\n" + headers + "ab\r\n");
}

TEST_CASE("message block: what a subscriber gets of it is as long as said") {
  for (const uint32_t headers : {0u, 2u}) {
    const MessageShape shape{
        .subject = "s.t", .reply = {}, .payload_bytes = 16, .headers = headers};
    std::string msg = pub_bytes(shape);
    msg.replace(msg.find("PUB"), 3, "MSG");
    msg.insert(msg.find("s.t ") + 4, "1 ");
    CHECK(msg.size() == msg_bytes(shape, 1));
    protocol::ReplyParser parser;
    protocol::Reply reply;
    CHECK(parser.next(msg, reply).consumed_bytes == msg.size());
    CHECK(reply.message.size() == 16 + header_block(headers).size());
  }
}

TEST_CASE("subjects: all names of a run are equally long") {
  Options options;
  options.subjects = 1'000'000;
  const Subjects subjects(options);
  CHECK(subjects.subject(0, 0) == "bench.1000.0000000");
  CHECK(subjects.subject(0, 999'999) == "bench.1000.0999999");
  CHECK(subjects.filters(0) == std::vector<std::string>{"bench.1000.*"});
}

TEST_CASE("subjects: each subscription of each subscriber is counted as a hearer") {
  Options options;
  options.subjects = 10;
  options.subscribers = 3;
  options.subscriptions = 4;
  const Subjects subjects(options);
  CHECK(subjects.filters(2).front() == "bench.1000.0000008");
  CHECK(subjects.filters(2).back() == "bench.1000.0000001");
  CHECK(subjects.hearers() == std::vector<uint32_t>{2, 2, 1, 1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("subjects: in turn is each once a round, and the seed decides the rest") {
  Options options;
  options.subjects = 1000;
  LeafOrder order(options, 0);
  std::set<uint32_t> seen;
  for (uint32_t i = 0; i < options.subjects; i++) seen.insert(order.next());
  CHECK(seen.size() == options.subjects);

  options.zipf = 1;
  LeafOrder a(options, 0), b(options, 0);
  std::vector<uint32_t> counts(options.subjects);
  for (int i = 0; i < 100'000; i++) {
    const uint32_t leaf = a.next();
    CHECK(leaf == b.next());
    counts[leaf]++;
  }
  // The first of a thousand gets 1/H(1000) of all, which is 13.4 %.
  const uint32_t most = *std::max_element(counts.begin(), counts.end());
  CHECK(most > 12'000);
  CHECK(most < 15'000);
}

}  // namespace
}  // namespace peal::bench
