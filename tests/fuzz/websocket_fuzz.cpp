// Frames and the upgrade before them, from any bytes. The first byte chooses: an upgrade, or frames
// with compression or without. What comes out must not depend on how the bytes were cut.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/websocket_frame.hpp"
#include "server/websocket_upgrade.hpp"

using namespace peal;
using protocol::websocket::FrameReader;

namespace {

void expect(bool truth) {
  if (!truth) std::abort();
}

bool add_frames(FrameReader& reader, std::string input, std::string& told) {
  for (size_t at = 0;;) {
    const auto piece = reader.read({input.data() + at, input.size() - at});
    expect(piece.consumed_bytes <= input.size() - at);
    at += piece.consumed_bytes;
    expect(piece.payload.size() <= piece.consumed_bytes);
    for (const char letter : piece.payload) told += {piece.compressed ? 'c' : 'p', letter};
    switch (piece.stop) {
      case FrameReader::Stop::input_end:
        expect(at == input.size());
        return true;
      case FrameReader::Stop::message_end:
        told += "E ";
        break;
      case FrameReader::Stop::piece_end:
        break;
      case FrameReader::Stop::control:
        expect(reader.control_payload().size() <= protocol::websocket::control_bytes_max);
        told += std::string("C") + std::string(reader.control_payload());
        break;
      case FrameReader::Stop::violation:
        told += std::string("V") + std::string(text_of(reader.violation()));
        return false;
    }
  }
}

std::string frames_of(std::string_view bytes, bool compression, size_t step) {
  FrameReader reader;
  if (compression) reader.allow_compression();
  std::string told;
  for (size_t at = 0; at < bytes.size(); at += step) {
    if (!add_frames(reader, std::string(bytes.substr(at, step)), told)) break;
  }
  return told;
}

// Bytes behind the request are seen only when they come with it.
int status_of(std::string_view bytes, size_t step) {
  server::UpgradeReader reader;
  for (size_t at = 0; at < bytes.size(); at += step) {
    if (reader.read(bytes.substr(at, step))) return reader.answer(server::UpgradeRules({})).status;
  }
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  if (data[0] % 3 == 2) {
    const int whole = status_of(bytes, bytes.size() + 1);
    const int parts = status_of(bytes, 1);
    expect(whole == parts || whole == 400);
    return 0;
  }
  const bool compression = data[0] % 3 == 1;
  const std::string whole = frames_of(bytes, compression, bytes.size() + 1);
  for (const size_t step : {1, 2, 3, 5, 13, 64}) {
    expect(frames_of(bytes, compression, step) == whole);
  }
  return 0;
}
