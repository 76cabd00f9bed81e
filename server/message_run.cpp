#include "server/message_run.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "core/copy.hpp"

namespace peal::server {
namespace {

// Short texts are moved in steps of so much, the last of which goes beyond the text: what it
// writes there is written over by the next message.
constexpr size_t step_bytes = 32;
// Longer ones are left to memcpy.
constexpr size_t stepped_bytes_max = 256;

constexpr size_t in_steps(size_t bytes) {
  return (bytes + step_bytes - 1) / step_bytes * step_bytes;
}

inline char* copy_in_steps(char* out, const char* from, size_t bytes) {
  for (size_t done = 0; done < bytes; done += step_bytes) {
    std::memcpy(out + done, from + done, step_bytes);
  }
  return out + bytes;
}

/// How many texts at this distance from each other can be moved in steps, where the last of them
/// ends `all_bytes` behind the beginning of the first.
size_t steppable(size_t all_bytes, size_t stepped_bytes, size_t stride_bytes) {
  if (all_bytes < stepped_bytes) return 0;
  return (all_bytes - stepped_bytes) / stride_bytes + 1;
}

}  // namespace

char* copy_run(char* out, std::string_view head, const MessageRun& run) {
  if (run.count == 0) return out;
  const size_t content_bytes = run.content_bytes();
  if (head.empty() && run.stride_bytes == content_bytes) {
    // Of no bytes, the address may be null.
    if (content_bytes > 0) std::memcpy(out, run.first, run.count * content_bytes);
    return out + run.count * content_bytes;
  }
  const size_t each_bytes = head.size() + content_bytes;
  const char* from = run.first;
  size_t left = run.count;

  std::array<char, 128> padded_head;
  if (content_bytes <= stepped_bytes_max && in_steps(head.size()) <= padded_head.size()) {
    // Of no head, the address may be null.
    if (!head.empty()) std::memcpy(padded_head.data(), head.data(), head.size());
    const size_t from_bytes = (run.count - 1) * run.stride_bytes + content_bytes;
    const size_t reach_bytes = head.size() + in_steps(content_bytes);
    size_t stepped =
        std::min({run.count, steppable(from_bytes, in_steps(content_bytes), run.stride_bytes),
                  steppable(run.count * each_bytes, std::max(reach_bytes, in_steps(head.size())),
                            each_bytes)});
    left -= stepped;
    for (; stepped > 0; stepped--, from += run.stride_bytes) {
      out = copy_in_steps(out, padded_head.data(), head.size());
      out = copy_in_steps(out, from, content_bytes);
    }
  }
  for (; left > 0; left--, from += run.stride_bytes) {
    out = core::copy_short(out, head.data(), head.size());
    out = core::copy_short(out, from, content_bytes);
  }
  return out;
}

// The CR LF that a message lacks goes in front of the next one's head, so the loop is the same.
char* copy_run_as_lines(char* out, std::string_view head, const MessageRun& run) {
  if (run.tail_bytes > 0 || run.count == 0) return copy_run(out, head, run);
  constexpr std::string_view line_end = protocol::line_end_text;
  std::array<char, 128> joint;
  const size_t joint_bytes = line_end.size() + head.size();
  assert(joint_bytes <= joint.size());
  std::memcpy(joint.data(), line_end.data(), line_end.size());
  std::memcpy(joint.data() + line_end.size(), head.data(), head.size());
  out = copy_run(out, head, run.front(1));
  out = copy_run(out, {joint.data(), joint_bytes}, run.behind(1));
  std::memcpy(out, line_end.data(), line_end.size());
  return out + line_end.size();
}

}  // namespace peal::server
