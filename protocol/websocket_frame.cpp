#include "protocol/websocket_frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "protocol/utf8.hpp"

namespace peal::protocol::websocket {
namespace {

constexpr uint8_t final_bit = 0x80;
constexpr uint8_t compressed_bit = 0x40;
constexpr uint8_t reserved_bits = 0x30;
constexpr uint8_t opcode_bits = 0x0f;
constexpr uint8_t mask_bit = 0x80;
constexpr uint8_t length_bits = 0x7f;
constexpr uint8_t length_16 = 126;
constexpr uint8_t length_64 = 127;
constexpr size_t key_bytes = 4;

uint64_t big_endian(const char* bytes, size_t count) {
  uint64_t number = 0;
  for (size_t i = 0; i < count; i++) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

void put_big_endian(char* out, uint64_t number, size_t count) {
  for (size_t i = count; i > 0; i--, number >>= 8) out[i - 1] = static_cast<char>(number);
}

// RFC 6455, 7.4: what may stand in a frame. 1005, 1006 and 1015 are for what was not said.
bool is_valid_code(uint64_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

std::string_view text_of(Violation violation) {
  switch (violation) {
    case Violation::none:
      return "";
    case Violation::unmasked:
      return "mask bit missing";
    case Violation::reserved_bits:
      return "reserved bits set";
    case Violation::unknown_opcode:
      return "unknown opcode";
    case Violation::control_too_long:
      return "control frame length bigger than maximum allowed of 125 bytes";
    case Violation::control_fragmented:
      return "control frame does not have final bit set";
    case Violation::message_in_message:
      return "new message started before final frame for previous message was received";
    case Violation::continuation_of_nothing:
      return "invalid continuation frame";
    case Violation::length:
      return "invalid 64-bit payload length";
    case Violation::close_payload:
      return "close frame payload of one byte";
    case Violation::close_code:
      return "invalid close status code";
    case Violation::close_text:
      return "invalid utf8 body in close frame";
  }
  __builtin_unreachable();
}

CloseCode code_of(Violation violation) {
  return violation == Violation::close_text ? CloseCode::invalid_payload
                                            : CloseCode::protocol_error;
}

size_t write_head(char* out, Opcode opcode, size_t payload_bytes, bool compressed) {
  const uint8_t front =
      final_bit | (compressed ? compressed_bit : 0) | static_cast<uint8_t>(opcode);
  out[0] = static_cast<char>(front);
  if (payload_bytes < length_16) {
    out[1] = static_cast<char>(payload_bytes);
    return 2;
  }
  if (payload_bytes <= UINT16_MAX) {
    out[1] = length_16;
    put_big_endian(out + 2, payload_bytes, 2);
    return 4;
  }
  out[1] = length_64;
  put_big_endian(out + 2, payload_bytes, 8);
  return 10;
}

std::string control_frame(Opcode opcode, std::string_view payload) {
  payload = payload.substr(0, control_bytes_max);
  char head[server_head_bytes_max];
  std::string frame(head, write_head(head, opcode, payload.size()));
  return frame.append(payload);
}

std::string close_frame(CloseCode code, std::string_view reason) {
  char number[2];
  put_big_endian(number, static_cast<uint16_t>(code), 2);
  return control_frame(Opcode::close, std::string(number, 2).append(reason));
}

Violation fault_of_close(std::string_view payload) {
  if (payload.empty()) return Violation::none;
  if (payload.size() == 1) return Violation::close_payload;
  if (!is_valid_code(big_endian(payload.data(), 2))) return Violation::close_code;
  return is_utf8(payload.substr(2)) ? Violation::none : Violation::close_text;
}

// Each block is loaded whole before it is stored, and in rising order, so that the output may
// overlap the input from before.
void unmask(char* to, const char* from, size_t bytes, uint32_t key) {
  using Block = uint64_t __attribute__((vector_size(32)));
  const uint64_t twice = uint64_t{key} << 32 | key;
  const Block keys = {twice, twice, twice, twice};
  size_t i = 0;
  for (; i + sizeof(Block) <= bytes; i += sizeof(Block)) {
    Block block;
    std::memcpy(&block, from + i, sizeof block);
    block ^= keys;
    std::memcpy(to + i, &block, sizeof block);
  }
  for (; i + sizeof twice <= bytes; i += sizeof twice) {
    uint64_t word;
    std::memcpy(&word, from + i, sizeof word);
    word ^= twice;
    std::memcpy(to + i, &word, sizeof word);
  }
  for (; i < bytes; i++) {
    to[i] = static_cast<char>(static_cast<uint8_t>(from[i]) ^
                              static_cast<uint8_t>(key >> (i % key_bytes * 8)));
  }
}

FrameReader::Piece FrameReader::read(std::span<char> input) {
  const char* at = input.data();
  const char* const end = at + input.size();
  char* out = input.data();
  Piece piece;
  const auto stop_at = [&](Stop stop) {
    piece.consumed_bytes = static_cast<size_t>(at - input.data());
    piece.payload = {input.data(), static_cast<size_t>(out - input.data())};
    piece.stop = stop;
    return piece;
  };
  while (violation_ == Violation::none) {
    if (!in_payload_) {
      if (!take_head(at, end)) {
        if (violation_ != Violation::none) break;
        return stop_at(Stop::input_end);
      }
      in_payload_ = true;
    }
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(left_bytes_, end - at));
    if (is_control()) {
      unmask(control_.data() + control_size_, at, bytes, key_);
      control_size_ += static_cast<uint8_t>(bytes);
    } else {
      if (out != input.data() && piece.compressed != compressed_) return stop_at(Stop::piece_end);
      piece.compressed = compressed_;
      unmask(out, at, bytes, key_);
      out += bytes;
    }
    at += bytes;
    left_bytes_ -= bytes;
    key_ = std::rotr(key_, static_cast<int>(bytes % key_bytes * 8));
    if (left_bytes_ > 0) return stop_at(Stop::input_end);
    in_payload_ = false;
    head_size_ = 0;
    if (is_control()) {
      if (opcode_ == Opcode::close) violation_ = fault_of_close(control_payload());
      return stop_at(violation_ == Violation::none ? Stop::control : Stop::violation);
    }
    in_message_ = !final_;
    if (final_ && compressed_) return stop_at(Stop::message_end);
  }
  return stop_at(Stop::violation);
}

size_t FrameReader::head_bytes_wanted() const {
  if (head_size_ < 2) return 2;
  switch (static_cast<uint8_t>(head_[1]) & length_bits) {
    case length_16:
      return 2 + 2 + key_bytes;
    case length_64:
      return 2 + 8 + key_bytes;
    default:
      return 2 + key_bytes;
  }
}

// False when there is less than a head, or a bad one. What can be seen from its first two bytes is
// not waited for.
bool FrameReader::take_head(const char*& at, const char* end) {
  while (head_size_ < head_bytes_wanted()) {
    const size_t bytes = std::min(head_bytes_wanted() - head_size_, static_cast<size_t>(end - at));
    if (bytes == 0) return false;
    std::memcpy(head_.data() + head_size_, at, bytes);
    at += bytes;
    head_size_ = static_cast<uint8_t>(head_size_ + bytes);
    if (head_size_ == 2) {
      violation_ = look_at_front();
      if (violation_ != Violation::none) return false;
    }
  }
  return look_at_length();
}

Violation FrameReader::look_at_front() {
  const auto front = static_cast<uint8_t>(head_[0]);
  const auto second = static_cast<uint8_t>(head_[1]);
  const uint8_t number = front & opcode_bits;
  const bool compressed = (front & compressed_bit) != 0;
  if ((front & reserved_bits) != 0) return Violation::reserved_bits;
  if (number > 10 || (number > 2 && number < 8)) return Violation::unknown_opcode;
  if ((second & mask_bit) == 0) return Violation::unmasked;
  final_ = (front & final_bit) != 0;
  opcode_ = static_cast<Opcode>(number);
  if (is_control()) {
    if (compressed) return Violation::reserved_bits;
    if ((second & length_bits) > control_bytes_max) return Violation::control_too_long;
    if (!final_) return Violation::control_fragmented;
    control_size_ = 0;
    return Violation::none;
  }
  if (opcode_ == Opcode::continuation) {
    if (!in_message_) return Violation::continuation_of_nothing;
    return compressed ? Violation::reserved_bits : Violation::none;
  }
  if (in_message_) return Violation::message_in_message;
  if (compressed && !compression_allowed_) return Violation::reserved_bits;
  compressed_ = compressed;
  in_message_ = true;
  return Violation::none;
}

bool FrameReader::look_at_length() {
  left_bytes_ = static_cast<uint8_t>(head_[1]) & length_bits;
  size_t at = 2;
  if (left_bytes_ >= length_16) {
    const size_t count = left_bytes_ == length_16 ? 2 : 8;
    left_bytes_ = big_endian(head_.data() + at, count);
    at += count;
  }
  if (left_bytes_ > INT64_MAX) {
    violation_ = Violation::length;
    return false;
  }
  std::memcpy(&key_, head_.data() + at, key_bytes);
  return true;
}

}  // namespace peal::protocol::websocket
