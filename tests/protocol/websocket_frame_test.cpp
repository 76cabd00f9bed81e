#include "protocol/websocket_frame.hpp"

#include <doctest/doctest.h>

#include <random>

namespace {

using namespace peal::protocol::websocket;
using Stop = FrameReader::Stop;

std::string frame(uint8_t front, std::string_view payload, bool masked = true,
                  uint32_t key = 0xa1b2c3d4) {
  std::string out(1, static_cast<char>(front));
  const uint8_t mask = masked ? 0x80 : 0;
  if (payload.size() < 126) {
    out += static_cast<char>(mask | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(mask | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) {
      out += static_cast<char>(uint64_t{payload.size()} >> shift);
    }
  }
  if (!masked) return out.append(payload);
  for (int i = 0; i < 4; i++) out += static_cast<char>(key >> (8 * i));
  for (size_t i = 0; i < payload.size(); i++) {
    out += static_cast<char>(payload[i] ^ static_cast<char>(key >> (8 * (i % 4))));
  }
  return out;
}

/// All that was read, as one text: payload as it is, compressed in <>, control in [].
std::string told(FrameReader& reader, std::string input) {
  std::string text;
  size_t at = 0;
  for (;;) {
    const auto piece = reader.read({input.data() + at, input.size() - at});
    at += piece.consumed_bytes;
    for (const char letter : piece.payload) {
      text += piece.compressed ? std::string("<") + letter + ">" : std::string(1, letter);
    }
    switch (piece.stop) {
      case Stop::input_end:
        CHECK(at == input.size());
        return text;
      case Stop::message_end:
        text += "<end>";
        break;
      case Stop::piece_end:
        break;
      case Stop::control:
        text += "[" + std::to_string(int(reader.control_opcode())) + ":" +
                std::string(reader.control_payload()) + "]";
        break;
      case Stop::violation:
        return text + "!" + std::string(text_of(reader.violation()));
    }
  }
}

std::string told(const std::string& input, bool compression = false) {
  FrameReader reader;
  if (compression) reader.allow_compression();
  return told(reader, input);
}

std::string close(uint16_t code, std::string_view text = "") {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
  return frame(0x88, payload.append(text));
}

}  // namespace

TEST_CASE("websocket frame: any length, text or binary, whole or in parts") {  // Autobahn 1.x, 5.x
  for (const size_t bytes : {0, 1, 31, 33, 125, 126, 127, 128, 65535, 65536, 131072}) {
    const std::string payload(bytes, '*');
    CAPTURE(bytes);
    CHECK(told(frame(0x81, payload)) == payload);
    CHECK(told(frame(0x82, payload)) == payload);
    CHECK(told(frame(0x02, payload) + frame(0x00, "") + frame(0x80, payload)) == payload + payload);
  }
  CHECK(told(frame(0x82, "") + frame(0x82, "x")) == "x");
}

TEST_CASE("websocket frame: control frames, also between fragments") {  // Autobahn 2.x, 5.6 to 5.8
  CHECK(told(frame(0x89, "hello")) == "[9:hello]");
  CHECK(told(frame(0x89, "")) == "[9:]");
  CHECK(told(frame(0x8a, "unsolicited")) == "[10:unsolicited]");
  CHECK(told(frame(0x89, std::string(125, 'x'))) == "[9:" + std::string(125, 'x') + "]");
  CHECK(told(frame(0x02, "a") + frame(0x89, "p") + frame(0x80, "b") + close(1000, "bye")) ==
        std::string("a[9:p]b[8:\x03\xe8"
                    "bye]"));
}

TEST_CASE("websocket frame: what is not allowed") {  // Autobahn 2.5, 3.x, 4.x, 5.1 to 5.18, 7.3.2
  const auto fault = [](const std::string& input, bool compression = false) {
    return told(frame(0x82, "ok") + input, compression);
  };
  CHECK(fault(frame(0x82, "x", false)) == "ok!mask bit missing");
  for (const int bits : {0x40, 0x20, 0x10, 0x50, 0x60, 0x70}) {
    CHECK(fault(frame(static_cast<uint8_t>(0x82 | bits), "x")) == "ok!reserved bits set");
    CHECK(fault(frame(static_cast<uint8_t>(0x89 | bits), "x"), true) == "ok!reserved bits set");
  }
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    CHECK(fault(frame(static_cast<uint8_t>(0x80 | opcode), "")) == "ok!unknown opcode");
  }
  CHECK(fault(frame(0x89, std::string(126, 'x'))).starts_with("ok!control frame length"));
  for (const int opcode : {8, 9, 10}) {
    CHECK(fault(frame(static_cast<uint8_t>(opcode), "x")).starts_with("ok!control frame does not"));
  }
  CHECK(fault(frame(0x80, "x")) == "ok!invalid continuation frame");
  CHECK(fault(frame(0x00, "x")) == "ok!invalid continuation frame");
  CHECK(fault(frame(0x02, "x") + frame(0x82, "y")).starts_with("okx!new message started"));
  CHECK(fault(frame(0x42, "x") + frame(0xc0, "y"), true) == "ok<x>!reserved bits set");
  CHECK(fault(std::string("\x82\xff\x80\0\0\0\0\0\0\0", 10) + "kkkk").starts_with("ok!invalid 64"));
  CHECK(fault(frame(0x88, "x")) == "ok!close frame payload of one byte");
}

TEST_CASE("websocket frame: codes and texts of a close") {  // Autobahn 7.x
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1014, 3000, 3999, 4000, 4999}) {
    CAPTURE(code);
    CHECK(told(close(static_cast<uint16_t>(code))).starts_with("[8:"));
  }
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    CAPTURE(code);
    CHECK(told(close(static_cast<uint16_t>(code))) == "!invalid close status code");
  }
  CHECK(told(frame(0x88, "")) == "[8:]");
  CHECK(told(close(1000, std::string(123, 'x'))).size() == 4 + 125);
  CHECK(told(close(1000, "\u00e4\u20ac\U0001f600")).starts_with("[8:"));
  for (const char* text :
       {"\xff\xfe", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    CHECK(told(close(1000, text)) == "!invalid utf8 body in close frame");
  }
  CHECK(code_of(Violation::close_text) == CloseCode::invalid_payload);
  CHECK(code_of(Violation::unmasked) == CloseCode::protocol_error);
}

TEST_CASE("websocket frame: compressed messages keep their ends, and apart from others") {
  CHECK(told(frame(0xc2, "ab") + frame(0x82, "c") + frame(0x42, "d") + frame(0x80, "e"), true) ==
        "<a><b><end>c<d><e><end>");
  CHECK(told(frame(0xc2, ""), true) == "<end>");
}

// Goal: how the bytes were cut must never show.
// Method: one stream of everything, cut at every pair of bytes, and byte by byte.
TEST_CASE("websocket frame: the same however the bytes are cut") {
  const std::string stream = frame(0x82, "PUB a 1\r\nx\r\n") + frame(0x02, "one") +
                             frame(0x89, "ping") + frame(0x80, "two") + frame(0xc2, "zip") +
                             frame(0x82, std::string(130, 'l')) + close(1000, "bye") +
                             frame(0x82, "x", false);
  const std::string whole = told(stream, true);
  CHECK(whole.ends_with("!mask bit missing"));
  for (size_t a = 0; a <= stream.size(); a++) {
    for (size_t b = a; b <= stream.size(); b++) {
      FrameReader reader;
      reader.allow_compression();
      std::string text = told(reader, stream.substr(0, a));
      if (reader.violation() == Violation::none) text += told(reader, stream.substr(a, b - a));
      if (reader.violation() == Violation::none) text += told(reader, stream.substr(b));
      REQUIRE(text == whole);
    }
  }
  FrameReader reader;
  reader.allow_compression();
  std::string text;
  for (const char byte : stream) {
    if (reader.violation() == Violation::none) text += told(reader, std::string(1, byte));
  }
  CHECK(text == whole);
}

TEST_CASE("websocket frame: unmasking onto bytes before, at every distance and length") {
  std::mt19937 chance(1);
  for (size_t distance = 0; distance < 40; distance++) {
    for (const size_t bytes : {0, 1, 3, 7, 8, 9, 31, 32, 33, 63, 64, 100}) {
      std::string memory(distance + bytes, '\0');
      for (char& byte : memory) byte = static_cast<char>(chance());
      std::string expected;
      for (size_t i = 0; i < bytes; i++) {
        expected += static_cast<char>(memory[distance + i] ^
                                      static_cast<char>(0x11223344u >> (8 * (i % 4))));
      }
      unmask(memory.data(), memory.data() + distance, bytes, 0x11223344);
      REQUIRE(memory.substr(0, bytes) == expected);
    }
  }
}

TEST_CASE("websocket frame: heads that go out") {
  const auto head = [](size_t bytes, bool compressed = false) {
    char out[server_head_bytes_max];
    return std::string(out, write_head(out, Opcode::binary, bytes, compressed));
  };
  CHECK(head(0) == std::string("\x82\0", 2));
  CHECK(head(125) == "\x82\x7d");
  CHECK(head(126) == std::string("\x82\x7e\0\x7e", 4));
  CHECK(head(65535) == "\x82\x7e\xff\xff");
  CHECK(head(65536) == std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10));
  CHECK(head(5, true) == "\xc2\x05");
  CHECK(close_frame(CloseCode::going_away, "Server Shutdown") == "\x88\x11\x03\xe9Server Shutdown");
  CHECK(close_frame(CloseCode::normal, std::string(200, 'x')).size() == 2 + control_bytes_max);
}
