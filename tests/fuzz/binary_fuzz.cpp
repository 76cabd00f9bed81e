// Any bytes at all as frames of a client, and of a server. The oracle: whole, byte by byte, in
// pieces of another length, and with fewer messages taken than given, they come to the same
// commands and the same refusal; FrameLog adds the contract, and memory that ends where the input
// does.
//
// The first byte chooses limits, headers and the length of the pieces; the rest is the stream.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/binary_reply_parser.hpp"
#include "tests/support/frame_log.hpp"
#include "tests/support/guarded_bytes.hpp"

namespace {

using peal::protocol::Limits;
using peal::test::FrameLog;

constexpr size_t stream_bytes_max = 1 << 14;

constexpr Limits small_limits{.control_line_bytes_max = 48, .payload_bytes_max = 200};

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
  if (size == 0 || size > stream_bytes_max) return 0;
  const uint8_t choice = data[0];
  const bool headers = (choice & 1) == 0;
  const Limits limits = (choice & 2) == 0 ? small_limits : Limits{};
  const size_t piece_bytes = size_t{2} + (choice >> 2);
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);

  static peal::test::GuardedBytes memory(stream_bytes_max);
  const auto parse = [&](size_t read_bytes, size_t taken_max) {
    FrameLog log(memory, limits, headers, taken_max);
    for (size_t at = 0; at < stream.size(); at += read_bytes) {
      log.feed(stream.substr(at, read_bytes));
    }
    return log.text();
  };
  const auto whole = parse(stream_bytes_max, SIZE_MAX);
  if (parse(1, SIZE_MAX) != whole || parse(piece_bytes, 1) != whole) std::abort();
  const auto messages = messages_of(stream, stream_bytes_max, memory);
  if (messages_of(stream, piece_bytes, memory) != messages) std::abort();
  return 0;
}
