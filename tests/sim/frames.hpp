#pragma once
// The framing binary/1 for simulated clients: frames made, and what a server sends cut into
// replies. Written apart from protocol/, from docs/binary-protocol.md, so that one mistake cannot
// hide another.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/reply_reader.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

namespace frames {

inline constexpr size_t head_bytes = 16;

inline void put(std::string& out, size_t at, uint64_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[at + i] = static_cast<char>(number >> 8 * i);
}
inline uint32_t get(std::string_view from, size_t at, size_t bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < bytes; i++) number |= uint32_t{uint8_t(from[at + i])} << 8 * i;
  return number;
}

/// `last` are the four bytes that a few operations use as one number.
inline std::string make(uint8_t operation, uint32_t id, size_t subject_bytes, uint32_t last,
                        std::string_view body) {
  std::string frame(head_bytes, '\0');
  put(frame, 0, body.size(), 4);
  put(frame, 4, operation, 1);
  put(frame, 6, subject_bytes, 2);
  put(frame, 8, id, 4);
  put(frame, 12, last, 4);
  return frame.append(body);
}

inline std::string pub(uint32_t alias, const std::string& subject, const std::string& reply,
                       const std::string& headers, const std::string& payload) {
  const auto last = static_cast<uint32_t>(reply.size() | headers.size() << 16);
  return make(2, alias, subject.size(), last, subject + reply + headers + payload);
}
inline std::string batch(uint32_t alias, const std::string& subject, const std::string& payload) {
  return make(3, alias, subject.size(), static_cast<uint32_t>(payload.size()), subject + payload);
}
inline std::string sub(uint32_t sid, const std::string& filter, const std::string& queue) {
  return make(4, sid, filter.size(), static_cast<uint32_t>(queue.size()), filter + queue);
}
inline std::string unsub(uint32_t sid, uint32_t max) { return make(5, sid, 0, max, {}); }
inline std::string ping() { return make(6, 0, 0, 0, {}); }
inline std::string pong() { return make(7, 0, 0, 0, {}); }

}  // namespace frames

/// As ReplyReader, over the same bytes; a subject that was left out is empty.
class FrameReader {
 public:
  std::optional<Reply> next(std::string& bytes) {
    bytes.erase(0, used_);
    used_ = 0;
    const std::string_view all = bytes;
    if (batch_left_ > 0) return next_of_batch(all, 0);
    if (all.size() < frames::head_bytes) return std::nullopt;
    const uint32_t body = frames::get(all, 0, 4);
    const uint32_t subject = frames::get(all, 6, 2);
    const uint32_t last = frames::get(all, 12, 4);
    if (frames::get(all, 5, 1) != 0) World::fail("bytes", "a flag that nobody needs");
    const uint32_t operation = frames::get(all, 4, 1);
    if (operation == 18) {
      if (last == 0 || subject >= body || (body - subject) % last != 0) {
        World::fail("bytes", "a batch that does not come out even");
      }
      if (all.size() < frames::head_bytes + subject + last) return std::nullopt;
      batch_left_ = (body - subject) / last;
      batch_size_ = last;
      sid_ = std::to_string(frames::get(all, 8, 4));
      batch_subject_ = all.substr(frames::head_bytes, subject);
      return next_of_batch(all, frames::head_bytes + subject);
    }
    if (all.size() < frames::head_bytes + body) return std::nullopt;
    used_ = frames::head_bytes + body;
    Reply reply{};
    reply.text = all.substr(frames::head_bytes, body);
    switch (operation) {
      case 6:
        reply.kind = Reply::Kind::ping;
        return reply;
      case 7:
        reply.kind = Reply::Kind::pong;
        return reply;
      case 16:
        reply.kind = Reply::Kind::info;
        return reply;
      case 17: {
        const uint32_t reply_bytes = last & 0xffff, header_bytes = last >> 16;
        if (uint64_t{subject} + reply_bytes + header_bytes > body) {
          World::fail("bytes", "parts longer than their frame");
        }
        sid_ = std::to_string(frames::get(all, 8, 4));
        reply.kind = Reply::Kind::message;
        reply.sid = sid_;
        reply.subject = reply.text.substr(0, subject);
        reply.reply = reply.text.substr(subject, reply_bytes);
        reply.headers = reply.text.substr(subject + reply_bytes, header_bytes);
        reply.payload = reply.text.substr(subject + reply_bytes + header_bytes);
        return reply;
      }
      case 19:
        reply.kind = Reply::Kind::ok;
        return reply;
      case 20:
        reply.kind = Reply::Kind::error;
        return reply;
    }
    World::fail("bytes", "operation " + std::to_string(operation));
  }

 private:
  std::optional<Reply> next_of_batch(std::string_view all, size_t at) {
    if (all.size() < at + batch_size_) return std::nullopt;
    used_ = at + batch_size_;
    batch_left_--;
    Reply reply{};
    reply.kind = Reply::Kind::message;
    reply.sid = sid_;
    reply.subject = batch_subject_;
    reply.payload = all.substr(at, batch_size_);
    return reply;
  }

  size_t used_ = 0;
  uint32_t batch_left_ = 0;
  uint32_t batch_size_ = 0;
  std::string sid_;
  std::string batch_subject_;
};

}  // namespace peal::sim
