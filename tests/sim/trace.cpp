#include "tests/sim/trace.hpp"

#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace peal::sim {

std::string_view name_of(Mark mark) {
  switch (mark) {
    case Mark::accept_post:
      return "accept";
    case Mark::recv_post:
      return "recv";
    case Mark::send_move:
      return "send-move";
    case Mark::send_post:
      return "send-done";
    case Mark::cancel:
      return "cancel";
    case Mark::wake:
      return "wake";
    case Mark::notify:
      return "notify";
    case Mark::tick:
      return "tick";
    case Mark::enter:
      return "enter";
    case Mark::pause:
      return "pause";
    case Mark::hold:
      return "hold";
    case Mark::leap:
      return "leap";
    case Mark::fd_close:
      return "close";
    case Mark::fd_shutdown:
      return "shutdown";
    case Mark::link_reset:
      return "reset";
    case Mark::client_write:
      return "client>";
    case Mark::client_read:
      return "client<";
    case Mark::client_event:
      return "client";
    case Mark::phase:
      return "phase";
  }
  return "?";
}

Trace::Trace() : print_(std::getenv("PEAL_SIM_TRACE") != nullptr) {}

std::string Trace::line_of(const Entry& entry) {
  char head[160];
  std::snprintf(head, sizeof head, "%14.6f ms %-9s %lld %lld %lld %lld ",
                static_cast<double>(entry.when) / 1e6, name_of(entry.mark).data(),
                static_cast<long long>(entry.numbers[0]), static_cast<long long>(entry.numbers[1]),
                static_cast<long long>(entry.numbers[2]), static_cast<long long>(entry.numbers[3]));
  std::string line = head;
  for (uint8_t i = 0; i < entry.text_bytes; i++) {
    const char letter = entry.text[i];
    if (letter == '\r') continue;
    if (letter == '\n') {
      line += "\\n";
    } else {
      line += std::isprint(static_cast<unsigned char>(letter)) ? letter : '?';
    }
  }
  return line;
}

void Trace::print(const Entry& entry) { std::fprintf(stderr, "%s\n", line_of(entry).c_str()); }

std::string Trace::last(size_t lines) const {
  std::string text;
  const uint64_t kept = count_ < last_.size() ? count_ : last_.size();
  const uint64_t wanted = lines < kept ? lines : kept;
  for (uint64_t i = count_ - wanted; i < count_; i++) {
    text += line_of(last_[i % last_.size()]) + "\n";
  }
  return text;
}

}  // namespace peal::sim
