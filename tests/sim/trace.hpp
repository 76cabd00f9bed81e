#pragma once
// What happened, for two readers: a hash over all of it, which two runs of one seed must share, and
// the last events as text, for whoever must find out why a seed failed. With PEAL_SIM_TRACE=1 in
// the environment every event is printed as it happens.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/sim/chance.hpp"
#include "tests/sim/faults.hpp"

namespace peal::sim {

enum class Mark : uint8_t {
  accept_post,   // reactor, descriptor or -errno, more
  recv_post,     // reactor, descriptor, result, more
  send_move,     // reactor, descriptor, bytes, of
  send_post,     // reactor, descriptor, result, asked
  cancel,        // reactor, kind, slot
  wake,          // from, to
  notify,        // reactor
  tick,          // reactor, completions
  enter,         // reactor, submissions, deadline in us from now
  pause,         // reactor, us
  hold,          // reactor, us
  leap,          // us
  fd_close,      // reactor, descriptor
  fd_shutdown,   // reactor, descriptor
  link_reset,    // link, by whom
  client_write,  // client, bytes, + text
  client_read,   // client, bytes, + text
  client_event,  // client, + text
  phase,         // + text
};

std::string_view name_of(Mark mark);

class Trace {
 public:
  Trace();

  void note(Time now, Mark mark, int64_t a, int64_t b = 0, int64_t c = 0, int64_t d = 0,
            std::string_view text = {}) {
    hash_ = mix(hash_ ^ static_cast<uint64_t>(now));
    hash_ = mix(hash_ ^ static_cast<uint64_t>(mark) ^ static_cast<uint64_t>(a) << 8 ^
                static_cast<uint64_t>(b) << 24);
    hash_ = mix(hash_ ^ static_cast<uint64_t>(c) ^ static_cast<uint64_t>(d) << 32);
    Entry& entry = last_[count_++ % last_.size()];
    entry.when = now;
    entry.mark = mark;
    entry.numbers = {a, b, c, d};
    entry.text_bytes = static_cast<uint8_t>(text.copy(entry.text.data(), entry.text.size()));
    if (print_) print(entry);
  }

  uint64_t hash() const { return hash_; }
  uint64_t count() const { return count_; }

  /// The last events, one a line.
  std::string last(size_t lines) const;

 private:
  struct Entry {
    Time when;
    std::array<int64_t, 4> numbers;
    std::array<char, 80> text;
    uint8_t text_bytes;
    Mark mark;
  };

  static std::string line_of(const Entry& entry);
  static void print(const Entry& entry);

  std::array<Entry, 512> last_;
  uint64_t count_ = 0;
  uint64_t hash_ = 0;
  bool print_;
};

}  // namespace peal::sim
