#pragma once
// A message on its way from whoever published it to those who get it. It knows bytes; who they are
// is the router's.

#include <cstddef>
#include <cstdint>

#include "core/frame.hpp"
#include "protocol/command.hpp"

namespace peal::server {

/// The texts are the parser's, or a record's, and are not copied: a view that was just written a
/// word at a time is slow to read as a vector, which is how compilers copy it (it cost a third of
/// the publishing shard's time).
struct Message {
  const protocol::Command& text;
  const char* begin;  // Headers, then payload; in `block` if there is one.
  size_t size;
  size_t tail_bytes;     // Of the CR LF that follows; 0 where its publisher speaks in frames.
  core::BlockRef block;  // When the message is worth a reference.

  size_t content_bytes() const { return size + tail_bytes; }
};

/// What one client is given of it: one that has not asked for headers is not shown any.
struct Content {
  const char* begin;
  size_t size;
  uint32_t header_bytes;

  Content without_headers() const { return {begin + header_bytes, size - header_bytes, 0}; }
};

}  // namespace peal::server
