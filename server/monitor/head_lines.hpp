#pragma once
// How many lines the head of a request has so far. The library keeps a small block of memory for
// each header, of which a head of sixteen KiB may have thousands: this is what bounds them. It
// knows where lines and heads end; what they say it must never know.

#include <cstddef>
#include <string_view>

namespace peal::server::monitor {

class HeadLines {
 public:
  static constexpr size_t lines_max = 128;

  /// The next bytes of a connection. False when a head has more lines than it may; that stays so.
  bool take(std::string_view bytes) {
    for (const char byte : bytes) {
      if (lines_ > lines_max) return false;
      if (byte == '\n') {
        // An empty line ends a head. A body's lines count as those of the next head; nothing that
        // is asked here has one.
        lines_ = line_empty_ ? 0 : lines_ + 1;
        line_empty_ = true;
      } else if (byte != '\r') {
        line_empty_ = false;
      }
    }
    return lines_ <= lines_max;
  }

 private:
  size_t lines_ = 0;
  bool line_empty_ = true;
};

}  // namespace peal::server::monitor
