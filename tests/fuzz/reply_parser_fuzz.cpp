// Any bytes as what a server says, for the tools that read it. The oracle is the parser's: whole,
// and in pieces of one length, they come to the same replies and the same refusal.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/reply_parser.hpp"
#include "tests/support/guarded_bytes.hpp"

namespace {

namespace protocol = peal::protocol;

constexpr size_t stream_bytes_max = 1 << 16;

std::string text_of(const protocol::Reply& reply) {
  using Kind = protocol::ReplyKind;
  std::string text = std::to_string(static_cast<int>(reply.kind));
  if (reply.kind == Kind::msg || reply.kind == Kind::hmsg) {
    for (const std::string_view part : {reply.subject, reply.sid, reply.reply, reply.message}) {
      text += " [" + std::string(part) + "]";
    }
    text += " " + std::to_string(reply.header_bytes);
    if (reply.header_bytes > reply.message.size()) std::abort();
  }
  if (reply.kind == Kind::info || reply.kind == Kind::err) text += " " + std::string(reply.text);
  return text + "\n";
}

std::string parse(std::string_view stream, size_t read_bytes) {
  static peal::test::GuardedBytes memory(stream_bytes_max);
  protocol::ReplyParser parser;
  std::string text, pending;
  for (size_t at = 0; at < stream.size(); at += read_bytes) {
    pending += stream.substr(at, read_bytes);
    std::string_view input = memory.place(pending);
    while (true) {
      protocol::Reply reply;
      const protocol::Step step = parser.next(input, reply);
      if (step.kind == protocol::StepKind::refused) return text + "refused";
      if (step.kind == protocol::StepKind::need_more) {
        if (step.needed_bytes <= input.size()) std::abort();
        break;
      }
      if (step.consumed_bytes == 0 || step.consumed_bytes > input.size()) std::abort();
      text += text_of(reply);
      input.remove_prefix(step.consumed_bytes);
    }
    pending.erase(0, pending.size() - input.size());
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > stream_bytes_max) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = parse(stream, stream_bytes_max);
  if (parse(stream, 1) != whole || parse(stream, size_t{2} + data[0]) != whole) std::abort();
  return 0;
}
