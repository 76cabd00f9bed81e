#include "tools/bench/message_block.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/binary_writer.hpp"
#include "protocol/limits.hpp"
#include "tools/bench/subjects.hpp"

namespace peal::bench {
namespace {

constexpr std::string_view verb_of(uint32_t headers) { return headers > 0 ? "HPUB " : "PUB "; }

std::string sizes_of(size_t header_bytes, size_t payload_bytes) {
  if (header_bytes == 0) return std::to_string(payload_bytes);
  return fmt::format("{} {}", header_bytes, header_bytes + payload_bytes);
}

std::string payload_of(size_t bytes) {
  std::string payload(bytes, '\0');
  for (size_t i = 0; i < bytes; i++) payload[i] = char('a' + i % 26);
  return payload;
}

// That of the only subject of a block.
constexpr uint32_t block_alias = 1;

std::string pub_frame(const MessageShape& shape, const std::string& block) {
  const std::string content = block + payload_of(shape.payload_bytes);
  std::string frame(protocol::message_head_bytes_max(shape.subject.size(), shape.reply.size()),
                    '\0');
  const char* const end = protocol::write_message_head(frame.data(), protocol::Operation::pub,
                                                       {.subject = shape.subject,
                                                        .reply = shape.reply,
                                                        .header_bytes = uint32_t(block.size()),
                                                        .message_bytes = content.size()});
  frame.resize(size_t(end - frame.data()));
  return frame + content;
}

bool is_batch(const MessageShape& shape) {
  return shape.binary && !shape.leaves && shape.headers == 0 && shape.reply.empty() &&
         shape.payload_bytes > 0;
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
  if (shape.binary) return pub_frame(shape, block);
  std::string bytes(verb_of(shape.headers));
  bytes += shape.subject + ' ';
  if (!shape.reply.empty()) bytes += shape.reply + ' ';
  bytes += sizes_of(block.size(), shape.payload_bytes) + "\r\n" + block;
  return bytes + payload_of(shape.payload_bytes) + "\r\n";
}

// MSG has the subscription where PUB has nothing; all else is the same.
size_t msg_bytes(const MessageShape& shape, size_t sid_bytes) {
  return pub_bytes(shape).size() + sid_bytes + 1;
}

MessageBlock::MessageBlock(const MessageShape& shape, size_t block_bytes)
    : shape_(shape), payload_bytes_(shape.payload_bytes) {
  const bool one_batch = is_batch(shape);
  const std::string one = one_batch ? payload_of(payload_bytes_) : pub_bytes(shape);
  if (one_batch) batch_head_.resize(protocol::batch_head_bytes(shape.subject.size()));
  message_bytes_ = one.size();
  messages_ = std::max<size_t>(1, block_bytes / message_bytes_);
  payload_at_ = message_bytes_ - payload_bytes_ - (shape.binary ? 0 : protocol::line_end_bytes);
  leaf_at_ = (shape.binary ? protocol::frame_head_bytes : verb_of(shape.headers).size()) +
             shape.subject.size() - leaf_digits;
  bytes_.reserve(batch_head_.size() + messages_ * message_bytes_);
  bytes_ = batch_head_;
  for (size_t i = 0; i < messages_; i++) bytes_ += one;
}

std::string_view MessageBlock::first(size_t count) {
  if (!batch_head_.empty()) {
    protocol::write_batch_head(bytes_.data(), protocol::Operation::pub_batch,
                               {.id = block_alias,
                                .subject = shape_.subject,
                                .message_bytes = uint32_t(message_bytes_),
                                .messages = uint32_t(count)});
  }
  return std::string_view(bytes_).substr(0, batch_head_.size() + count * message_bytes_);
}

}  // namespace peal::bench
