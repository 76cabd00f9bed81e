#pragma once
// What a server says, as bytes: into memory that the caller has, without a look at what it holds.
// It knows the grammar; what may be sent to whom is not its business, nor is whether there is room:
// ask the _max functions first.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "protocol/decimal.hpp"
#include "protocol/limits.hpp"

namespace peal::protocol {

inline constexpr std::string_view ok_line = "+OK\r\n";
inline constexpr std::string_view ping_line = "PING\r\n";
inline constexpr std::string_view pong_line = "PONG\r\n";

/// Room for what write_msg_head writes.
constexpr size_t msg_head_bytes_max(size_t subject_bytes, size_t sid_bytes, size_t reply_bytes) {
  return std::string_view("MSG    ").size() + subject_bytes + sid_bytes + reply_bytes +
         decimal_bytes_max + line_end_bytes;
}

/// Room for what write_hmsg_head writes.
constexpr size_t hmsg_head_bytes_max(size_t subject_bytes, size_t sid_bytes, size_t reply_bytes) {
  return msg_head_bytes_max(subject_bytes, sid_bytes, reply_bytes) + std::string_view("H ").size() +
         decimal_bytes_max;
}

/// Copies a word of a line. Most have fewer than 32 bytes, for which a call of memcpy costs more
/// than the copying: two moves that may overlap are enough.
inline char* write_text(char* out, std::string_view text) {
  const size_t bytes = text.size();
  const char* const from = text.data();
  const auto in_two_halves = [&]<size_t half>() {
    char first[half], last[half];
    std::memcpy(first, from, half);
    std::memcpy(last, from + bytes - half, half);
    std::memcpy(out, first, half);
    std::memcpy(out + bytes - half, last, half);
  };
  if (bytes > 32) {
    std::memcpy(out, from, bytes);
  } else if (bytes >= 16) {
    in_two_halves.template operator()<16>();
  } else if (bytes >= 8) {
    in_two_halves.template operator()<8>();
  } else if (bytes >= 4) {
    in_two_halves.template operator()<4>();
  } else if (bytes > 0) {
    out[0] = from[0];
    out[bytes / 2] = from[bytes / 2];
    out[bytes - 1] = from[bytes - 1];
  }
  return out + bytes;
}

/// A word and the blank after it.
inline char* write_word(char* out, std::string_view word) {
  out = write_text(out, word);
  *out = ' ';
  return out + 1;
}

inline char* write_line_end(char* out) {
  std::memcpy(out, "\r\n", line_end_bytes);
  return out + line_end_bytes;
}

/// `MSG subject sid [reply ]bytes` CR LF; an empty reply is none. The payload and its CR LF are to
/// follow. Returns the end.
inline char* write_msg_head(char* out, std::string_view subject, std::string_view sid,
                            std::string_view reply, size_t payload_bytes) {
  std::memcpy(out, "MSG ", 4);
  out = write_word(out + 4, subject);
  out = write_word(out, sid);
  if (!reply.empty()) out = write_word(out, reply);
  out = write_decimal(out, uint32_t(payload_bytes));
  return write_line_end(out);
}

/// `HMSG subject sid [reply ]header_bytes total_bytes` CR LF, as write_msg_head.
inline char* write_hmsg_head(char* out, std::string_view subject, std::string_view sid,
                             std::string_view reply, size_t header_bytes, size_t total_bytes) {
  std::memcpy(out, "HMSG ", 5);
  out = write_word(out + 5, subject);
  out = write_word(out, sid);
  if (!reply.empty()) out = write_word(out, reply);
  out = write_decimal(out, uint32_t(header_bytes));
  *out++ = ' ';
  out = write_decimal(out, uint32_t(total_bytes));
  return write_line_end(out);
}

}  // namespace peal::protocol
