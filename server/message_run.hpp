#pragma once
// Messages of one size that lie at one distance from each other, as a client has sent them or as a
// mailbox has them: who repeats himself is served by the run, not by the message. It knows bytes
// and distances; what they say, and who gets them, it must never know.

#include <cstddef>
#include <string_view>

#include "protocol/limits.hpp"

namespace peal::server {

struct MessageRun {
  const char* first;    // Of the first message.
  size_t stride_bytes;  // From the beginning of one message to that of the next.
  size_t size;          // Of each, without its tail.
  size_t count;
  size_t tail_bytes = protocol::line_end_bytes;  // The CR LF behind each; 0 where there is none.

  size_t content_bytes() const { return size + tail_bytes; }
  /// The first `messages` of them, and the others. REQUIRES that there are as many.
  MessageRun front(size_t messages) const {
    return {first, stride_bytes, size, messages, tail_bytes};
  }
  MessageRun behind(size_t messages) const {
    return {first + messages * stride_bytes, stride_bytes, size, count - messages, tail_bytes};
  }
  /// The same without their tails.
  MessageRun bare() const { return {first, stride_bytes, size, count, 0}; }
};

/// Copies the messages, each with its tail and with `head` before it, one behind the other.
/// `out` has room for count * (head.size() + content_bytes()); nothing outside of that is written,
/// and nothing outside of the run is read. Returns the end.
char* copy_run(char* out, std::string_view head, const MessageRun& run);

/// The same, where each message is to have a CR LF behind it, whether it came with one or not.
char* copy_run_as_lines(char* out, std::string_view head, const MessageRun& run);

}  // namespace peal::server
