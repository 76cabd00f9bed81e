#pragma once
// Messages of one size that lie at one distance from each other, as a client has sent them or as a
// mailbox has them: who repeats himself is served by the run, not by the message. It knows bytes
// and distances; what they say, and who gets them, it must never know.

#include <cstddef>
#include <string_view>

#include "protocol/limits.hpp"

namespace peal::server {

struct MessageRun {
  const char* first;    // Of the first message. Each has its CR LF behind it.
  size_t stride_bytes;  // From the beginning of one message to that of the next.
  size_t size;          // Of each, without the CR LF.
  size_t count;

  size_t content_bytes() const { return size + protocol::line_end_bytes; }
  /// The first `messages` of them, and the others. REQUIRES that there are as many.
  MessageRun front(size_t messages) const { return {first, stride_bytes, size, messages}; }
  MessageRun behind(size_t messages) const {
    return {first + messages * stride_bytes, stride_bytes, size, count - messages};
  }
};

/// Copies the messages, each with its CR LF and with `head` before it, one behind the other.
/// `out` has room for count * (head.size() + content_bytes()); nothing outside of that is written,
/// and nothing outside of the run is read. Returns the end.
char* copy_run(char* out, std::string_view head, const MessageRun& run);

}  // namespace peal::server
