#pragma once
// permessage-deflate (RFC 7692) without context takeover: each message by itself. It knows
// compressed and plain bytes; frames are protocol/websocket_frame's.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct z_stream_s;

namespace peal::server {

/// Of one message at a time; begin() makes it ready for the next.
class Inflater {
 public:
  enum class Outcome { more, input_read, broken };
  static constexpr size_t bytes_about = 44 * 1024;  // Most of it zlib's window.

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void begin();
  /// `bytes` must stay until they have been read. `last`: the message ends with them.
  void set_input(std::string_view bytes, bool last);
  /// Fills `out` as far as the input goes. `more`: there may be more for another `out`.
  Outcome read(std::span<char> out, size_t& filled);
  /// What of the input has not been read, and whether it is still its message's last.
  std::string_view rest() const;
  bool rest_is_last() const { return last_; }

 private:
  std::unique_ptr<z_stream_s> stream_;
  bool last_ = false;  // What every message leaves out at its end is still to be read.
};

class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  /// One message, in pieces.
  void begin();
  void add(std::string_view bytes);
  /// Until the next begin().
  std::string_view end();

 private:
  void work(int flush);

  std::unique_ptr<z_stream_s> stream_;
  std::string out_;
};

}  // namespace peal::server
