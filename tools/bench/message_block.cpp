#include "tools/bench/message_block.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "protocol/limits.hpp"
#include "tools/bench/subjects.hpp"

namespace peal::bench {
namespace {

constexpr std::string_view verb_of(uint32_t headers) { return headers > 0 ? "HPUB " : "PUB "; }

std::string sizes_of(size_t header_bytes, size_t payload_bytes) {
  if (header_bytes == 0) return std::to_string(payload_bytes);
  return fmt::format("{} {}", header_bytes, header_bytes + payload_bytes);
}

}  // namespace

std::string header_block(uint32_t headers) {
  if (headers == 0) return {};
  std::string block = "NATS/1.0\r\n";
  for (uint32_t i = 0; i < headers; i++) {
    block += fmt::format("Bench-Header-{:03}: value-{:03}\r\n", i, i);
  }
  return block + "\r\n";
}

std::string pub_bytes(const MessageShape& shape) {
  const std::string block = header_block(shape.headers);
  std::string bytes(verb_of(shape.headers));
  bytes += shape.subject + ' ';
  if (!shape.reply.empty()) bytes += shape.reply + ' ';
  bytes += sizes_of(block.size(), shape.payload_bytes) + "\r\n" + block;
  for (size_t i = 0; i < shape.payload_bytes; i++) bytes += char('a' + i % 26);
  return bytes + "\r\n";
}

// MSG has the subscription where PUB has nothing; all else is the same.
size_t msg_bytes(const MessageShape& shape, size_t sid_bytes) {
  return pub_bytes(shape).size() + sid_bytes + 1;
}

MessageBlock::MessageBlock(const MessageShape& shape, size_t block_bytes)
    : payload_bytes_(shape.payload_bytes) {
  const std::string one = pub_bytes(shape);
  message_bytes_ = one.size();
  messages_ = std::max<size_t>(1, block_bytes / message_bytes_);
  payload_at_ = message_bytes_ - protocol::line_end_bytes - payload_bytes_;
  leaf_at_ = verb_of(shape.headers).size() + shape.subject.size() - leaf_digits;
  bytes_.reserve(messages_ * message_bytes_);
  for (size_t i = 0; i < messages_; i++) bytes_ += one;
}

}  // namespace peal::bench
