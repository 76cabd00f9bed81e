#pragma once
// A message that nobody has a short way for, written as a record: see record.hpp.

#include <span>
#include <string_view>
#include <utility>

#include "core/copy.hpp"
#include "server/message.hpp"
#include "server/record.hpp"

namespace peal::server {

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
