#pragma once
// Frames of WebSocket (RFC 6455), as the server's end sees them: what came is taken out of its
// frames and unmasked where it lies; heads of frames that go out. It knows bytes; it must never
// know a descriptor, a compressor, or what a message says.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace peal::protocol::websocket {

enum class Opcode : uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

/// Why one end says that it ends. RFC 6455, 7.4.1.
enum class CloseCode : uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  invalid_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  internal_error = 1011,
};

/// What is wrong with a frame.
enum class Violation : uint8_t {
  none,
  unmasked,
  reserved_bits,
  unknown_opcode,
  control_too_long,
  control_fragmented,
  message_in_message,
  continuation_of_nothing,
  length,
  close_payload,
  close_code,
  close_text,
};
std::string_view text_of(Violation violation);
CloseCode code_of(Violation violation);

inline constexpr size_t control_bytes_max = 125;
/// The server's frames have no mask.
inline constexpr size_t server_head_bytes_max = 10;

/// Writes the head of a whole message in one frame; returns its size. `out` has room for
/// server_head_bytes_max.
size_t write_head(char* out, Opcode opcode, size_t payload_bytes, bool compressed = false);

/// A whole control frame. What is longer than one may carry is cut.
std::string control_frame(Opcode opcode, std::string_view payload);
std::string close_frame(CloseCode code, std::string_view reason);

/// What is wrong with the payload of a close frame that came.
Violation fault_of_close(std::string_view payload);

/// `key` as it lies in the frame; the first byte is its first. `to` may lie before `from` and
/// overlap it.
void unmask(char* to, const char* from, size_t bytes, uint32_t key);

/// Takes messages out of their frames. Output depends on the bytes, never on how they were cut.
class FrameReader {
 public:
  enum class Stop : uint8_t {
    input_end,
    message_end,  // Of a compressed message; others have no end that matters.
    piece_end,    // The next bytes are compressed where these are not, or the other way round.
    control,      // A ping, pong or close, whole.
    violation,
  };
  struct Piece {
    size_t consumed_bytes = 0;
    std::string_view payload;  // Lies at the front of the input.
    bool compressed = false;
    Stop stop = Stop::input_end;
  };

  /// Whether permessage-deflate was agreed on.
  void allow_compression() { compression_allowed_ = true; }

  /// Overwrites the input. What follows consumed_bytes is untouched.
  Piece read(std::span<char> input);

  /// After Stop::control.
  Opcode control_opcode() const { return opcode_; }
  std::string_view control_payload() const { return {control_.data(), control_size_}; }
  /// After Stop::violation.
  Violation violation() const { return violation_; }

 private:
  size_t head_bytes_wanted() const;
  bool take_head(const char*& at, const char* end);
  Violation look_at_front();
  bool look_at_length();
  bool is_control() const { return static_cast<uint8_t>(opcode_) >= 8; }

  bool compression_allowed_ = false;
  bool in_payload_ = false;
  bool final_ = false;
  bool in_message_ = false;  // Its last frame is still to come.
  bool compressed_ = false;  // That message, or the last one.
  Opcode opcode_ = Opcode::binary;
  Violation violation_ = Violation::none;
  uint8_t head_size_ = 0;
  uint8_t control_size_ = 0;
  uint32_t key_ = 0;
  uint64_t left_bytes_ = 0;  // Of the frame's payload.
  std::array<char, 14> head_{};
  std::array<char, control_bytes_max> control_{};
};

}  // namespace peal::protocol::websocket
