#pragma once
// The framing `binary/1`: what a frame looks like. docs/binary-protocol.md is its specification. It
// knows the layout of a frame's head; what a frame does it must never know.
//
// This header, binary_writer.hpp and binary_reply_parser.hpp are a library for programs that speak
// to a server in frames: the first two need nothing but C++20, the third one source file more. A
// client sends CONNECT as text, with "framing":"binary/1" in it, reads `+OK` CR LF, and from then
// on writes what binary_writer.hpp makes and reads by BinaryReplyParser.
//
//    0        4    5    6     8       12      14      16
//    | body   | op | fl | sub | id    | reply | headr | subject | reply | headers | payload |
//    | bytes  |    |    |     |       | number        | [long lengths before these three]   |
//
// All numbers are little-endian, as this machine's have to be.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace peal::protocol {

static_assert(std::endian::native == std::endian::little, "a head is loaded as it lies");

/// As CONNECT asks for it and INFO offers it.
inline constexpr std::string_view text_framing = "text";
inline constexpr std::string_view binary_framing = "binary/1";

enum class Operation : uint8_t {
  // Of a client.
  connect = 1,
  pub = 2,
  pub_batch = 3,
  sub = 4,
  unsub = 5,
  // Of both.
  ping = 6,
  pong = 7,
  // Of a server.
  info = 16,
  msg = 17,
  msg_batch = 18,
  ok = 19,
  err = 20,
};

/// The only flag there is: the lengths of subject, reply and headers are three numbers of 32 bits
/// in front of the body, and those in the head are 0. For lengths that do not fit the head.
inline constexpr uint8_t long_lengths_flag = 1;

inline constexpr size_t frame_head_bytes = 16;
inline constexpr size_t long_lengths_bytes = 12;
inline constexpr size_t short_length_max = UINT16_MAX;

struct FrameHead {
  uint32_t body_bytes = 0;  // Of all that follows the head.
  Operation operation = Operation::ping;
  uint8_t flags = 0;
  uint16_t subject_bytes = 0;
  uint32_t id = 0;           // SUB, UNSUB, MSG: the subscription's. PUB: the alias, or 0.
  uint16_t reply_bytes = 0;  // SUB: of the queue group's name.
  uint16_t header_bytes = 0;

  /// In the place of the last two, UNSUB has its maximum, and a batch the size of each message.
  uint32_t number() const { return reply_bytes | uint32_t{header_bytes} << 16; }
  void set_number(uint32_t number) {
    reply_bytes = static_cast<uint16_t>(number);
    header_bytes = static_cast<uint16_t>(number >> 16);
  }
};

static_assert(sizeof(FrameHead) == frame_head_bytes);

/// REQUIRES that the bytes of a head are readable.
inline FrameHead load_frame_head(const char* bytes) {
  FrameHead head;
  std::memcpy(&head, bytes, sizeof head);
  return head;
}

/// How long the parts of a frame are, wherever it says so. All that stands behind them in the body
/// is payload.
struct FrameLengths {
  uint32_t subject_bytes = 0;
  uint32_t reply_bytes = 0;
  uint32_t header_bytes = 0;

  uint64_t sum() const { return uint64_t{subject_bytes} + reply_bytes + header_bytes; }
};

static_assert(sizeof(FrameLengths) == long_lengths_bytes);

}  // namespace peal::protocol
