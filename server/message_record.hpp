#pragma once
// Messages written as records: see record.hpp.

#include <new>
#include <span>
#include <string_view>

#include "core/copy.hpp"
#include "server/connection.hpp"
#include "server/message.hpp"
#include "server/record.hpp"
#include "server/route.hpp"

namespace peal::server {

/// The head of what it publishes.
inline MessageHead head_of(const Connection& publisher, uint16_t flags) {
  MessageHead head;
  head.flags = flags;
  head.account = publisher.account();
  head.origin_slot = publisher.slot();
  head.origin_generation = publisher.generation();
  return head;
}

/// That of a run on the memo's route.
inline MessageHead& write_run_head(char* at, const Connection& publisher, const RouteMemo& memo,
                                   const MessageRun& run, uint16_t flags) {
  MessageHead& head = *new (at) MessageHead(head_of(publisher, flags));
  if (run.tail_bytes == 0) head.flags |= message_bare;
  head.subject_bytes = static_cast<uint32_t>(memo.subject().size());
  head.message_bytes = static_cast<uint32_t>(run.size);
  return head;
}

inline InPlacePart in_place_part(core::BufferHold* hold, const MessageRun& run) {
  return {hold, run.first, static_cast<uint32_t>(run.stride_bytes),
          static_cast<uint32_t>(run.count)};
}

/// What the name of a queue group takes.
constexpr size_t group_bytes(std::string_view name) { return sizeof(uint32_t) + name.size(); }

/// What a message takes, with all that it may have.
inline size_t record_bytes(const Message& message, size_t groups_bytes) {
  const size_t content = message.block ? sizeof(ReferencePart) : message.content_bytes();
  return sizeof(MessageHead) + sizeof(MessageExtension) + groups_bytes +
         message.text.subject.size() + message.text.reply.size() + content;
}

inline char* write_groups(char* out, std::span<const std::string_view> groups) {
  for (const std::string_view name : groups) {
    const auto bytes = static_cast<uint32_t>(name.size());
    out = put(out, &bytes, sizeof bytes);
    out = put(out, name);
  }
  return out;
}

/// What comes last, and the flags that say which way.
inline void write_content(char* out, MessageHead& head, const Message& message) {
  if (message.tail_bytes == 0) head.flags |= message_bare;
  if (message.block) [[unlikely]] {
    head.flags |= message_by_reference;
    core::BlockRef holder = message.block;
    const ReferencePart part{holder.leave(), message.begin};
    put(out, &part, sizeof part);
  } else {
    core::copy_short(out, message.begin, message.content_bytes());
  }
}

}  // namespace peal::server
