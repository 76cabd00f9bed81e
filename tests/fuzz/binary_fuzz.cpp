// Any bytes at all as frames of a client, and of a server. The oracle: whole, byte by byte, in
// pieces of another length, and with fewer messages taken than given, they come to the same
// commands and the same refusal; FrameLog adds the contract, and memory that ends where the input
// does.
// How an input is read: parser_input.hpp.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/binary_reply_parser.hpp"
#include "tests/fuzz/parser_input.hpp"
#include "tests/support/frame_log.hpp"
#include "tests/support/guarded_bytes.hpp"

namespace {

using peal::fuzz::ParserInput;
using peal::test::FrameLog;

std::string messages_of(std::string_view stream, size_t read_bytes,
                        peal::test::GuardedBytes& memory) {
  using peal::protocol::StepKind;
  peal::protocol::BinaryReplyParser parser;
  std::string pending, text;
  for (size_t at = 0; at < stream.size(); at += read_bytes) {
    pending += stream.substr(at, read_bytes);
    std::string_view input = memory.place(pending);
    while (true) {
      peal::protocol::BinaryReply reply;
      const auto step = parser.next(input, reply);
      if (step.kind == StepKind::refused) return text + "refused";
      if (step.kind == StepKind::need_more) break;
      if (step.consumed_bytes == 0 || step.consumed_bytes > input.size()) std::abort();
      if (reply.kind == peal::protocol::ReplyKind::msg) {
        (text += reply.subject) += reply.reply;
        text += reply.message;
      }
      text += '\n';
      input.remove_prefix(step.consumed_bytes);
    }
    pending.erase(0, pending.size() - input.size());
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!ParserInput::usable(size)) return 0;
  const ParserInput input(data, size);
  constexpr size_t whole_bytes = ParserInput::stream_bytes_max;
  static peal::test::GuardedBytes memory(whole_bytes);
  const auto parse = [&](size_t read_bytes, size_t taken_max) {
    return input.text_of(FrameLog(memory, input.limits, input.headers, taken_max), read_bytes);
  };
  const auto whole = parse(whole_bytes, SIZE_MAX);
  if (parse(1, SIZE_MAX) != whole || parse(input.piece_bytes, 1) != whole) std::abort();
  const auto messages = messages_of(input.stream, whole_bytes, memory);
  if (messages_of(input.stream, input.piece_bytes, memory) != messages) std::abort();
  return 0;
}
