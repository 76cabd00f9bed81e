#pragma once
// Frames as bytes, a client's and a server's, into memory that the caller has. It knows the layout
// (binary_frame.hpp); it must never know a connection, and does not look at what it copies. Each
// function returns the end of what it has written; ask the _bytes functions for room first.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "protocol/binary_frame.hpp"

namespace peal::protocol {

inline char* write_frame_head(char* out, const FrameHead& head) {
  std::memcpy(out, &head, sizeof head);
  return out + sizeof head;
}

inline char* write_frame_part(char* out, std::string_view part) {
  if (!part.empty()) std::memcpy(out, part.data(), part.size());
  return out + part.size();
}

// ---- PUB and MSG.

/// One message, to a server or from it.
struct FramedMessage {
  uint32_t id = 0;  // PUB: the alias, 0 for none. MSG: the subscription.
  // PUB: empty where the alias says it; with an alias, that is named so from now on. MSG: empty
  // where the subscription says it.
  std::string_view subject = {};
  std::string_view reply = {};  // Empty: none.
  uint32_t header_bytes = 0;
  size_t message_bytes = 0;  // Headers, then payload.
};

/// What write_message_head writes at most.
constexpr size_t message_head_bytes_max(size_t subject_bytes, size_t reply_bytes) {
  return frame_head_bytes + long_lengths_bytes + subject_bytes + reply_bytes;
}

/// All of a PUB or MSG but its message, which is to follow. REQUIRES that the parts have less than
/// 4 GiB together.
inline char* write_message_head(char* out, Operation operation, const FramedMessage& message) {
  FrameHead head;
  head.operation = operation;
  head.id = message.id;
  const FrameLengths lengths{static_cast<uint32_t>(message.subject.size()),
                             static_cast<uint32_t>(message.reply.size()), message.header_bytes};
  size_t body_bytes = message.subject.size() + message.reply.size() + message.message_bytes;
  const bool is_long = lengths.subject_bytes > short_length_max ||
                       lengths.reply_bytes > short_length_max ||
                       lengths.header_bytes > short_length_max;
  if (is_long) {
    head.flags = long_lengths_flag;
    body_bytes += long_lengths_bytes;
  } else {
    head.subject_bytes = static_cast<uint16_t>(lengths.subject_bytes);
    head.reply_bytes = static_cast<uint16_t>(lengths.reply_bytes);
    head.header_bytes = static_cast<uint16_t>(lengths.header_bytes);
  }
  assert(body_bytes <= UINT32_MAX);
  head.body_bytes = static_cast<uint32_t>(body_bytes);
  out = write_frame_head(out, head);
  if (is_long) {
    std::memcpy(out, &lengths, sizeof lengths);
    out += sizeof lengths;
  }
  out = write_frame_part(out, message.subject);
  return write_frame_part(out, message.reply);
}

// ---- PUB_BATCH and MSG_BATCH.

/// Messages of one size on one subject, which follow the head back to back.
struct FramedBatch {
  uint32_t id = 0;                // As in FramedMessage.
  std::string_view subject = {};  // As there; no longer than short_length_max.
  uint32_t message_bytes = 0;
  uint32_t messages = 0;
};

constexpr size_t batch_head_bytes(size_t subject_bytes) { return frame_head_bytes + subject_bytes; }

/// How many messages one batch can have: the length of its body has 32 bits. 0 for messages of no
/// bytes, which cannot be counted in a batch.
constexpr size_t batch_messages_max(size_t subject_bytes, size_t message_bytes) {
  return message_bytes == 0 ? 0 : (UINT32_MAX - subject_bytes) / message_bytes;
}

/// REQUIRES 0 < messages <= batch_messages_max().
inline char* write_batch_head(char* out, Operation operation, const FramedBatch& batch) {
  assert(batch.messages > 0 && batch.subject.size() <= short_length_max &&
         batch.messages <= batch_messages_max(batch.subject.size(), batch.message_bytes));
  FrameHead head;
  head.operation = operation;
  head.id = batch.id;
  head.subject_bytes = static_cast<uint16_t>(batch.subject.size());
  head.body_bytes =
      static_cast<uint32_t>(batch.subject.size()) + batch.messages * batch.message_bytes;
  head.set_number(batch.message_bytes);
  return write_frame_part(write_frame_head(out, head), batch.subject);
}

/// The number that a sid of decimal digits says.
inline uint32_t subscription_number(std::string_view sid) {
  uint32_t number = 0;
  for (const char digit : sid) number = number * 10 + (uint32_t(uint8_t(digit)) - '0');
  return number;
}

// ---- The others.

constexpr size_t sub_bytes_max(size_t filter_bytes, size_t queue_bytes) {
  return message_head_bytes_max(filter_bytes, queue_bytes);
}

/// An empty queue is none.
inline char* write_sub(char* out, uint32_t sid, std::string_view filter, std::string_view queue) {
  return write_message_head(out, Operation::sub, {.id = sid, .subject = filter, .reply = queue});
}

/// Ends a subscription when it has had `max` messages since its SUB; 0: at once.
inline char* write_unsub(char* out, uint32_t sid, uint32_t max) {
  FrameHead head;
  head.operation = Operation::unsub;
  head.id = sid;
  head.set_number(max);
  return write_frame_head(out, head);
}

/// PING, PONG and OK have no text; CONNECT and INFO have their JSON, ERR has its sentence.
constexpr size_t text_frame_bytes(size_t text_bytes) { return frame_head_bytes + text_bytes; }

inline char* write_text_frame(char* out, Operation operation, std::string_view text = {}) {
  FrameHead head;
  head.operation = operation;
  head.body_bytes = static_cast<uint32_t>(text.size());
  return write_frame_part(write_frame_head(out, head), text);
}

}  // namespace peal::protocol
