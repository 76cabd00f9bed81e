#include "tools/bench/responder.hpp"

#include <fmt/format.h>

#include "tools/bench/clock.hpp"
#include "tools/bench/requester.hpp"

namespace peal::bench {
namespace {

// Several responders share the work, as services do.
constexpr std::string_view default_queue = "peal-bench";

}  // namespace

Responder::Responder(Link link, const Options& options, uint32_t index)
    : options_(options),
      link_(std::move(link)),
      index_(index),
      answer_tail_(
          fmt::format(" {}\r\n{}\r\n", options.size_bytes, std::string(options.size_bytes, 'r'))) {}

std::optional<std::string> Responder::subscribe() {
  const std::string line =
      fmt::format("SUB {} {} 1\r\n", request_subject(options_),
                  options_.queue.empty() ? default_queue : std::string_view(options_.queue));
  if (!link_.send_all(line)) return "the connection was closed";
  return link_.barrier();
}

// All answers to what one receive brought leave in one send.
Received Responder::receive(int flags) {
  uint64_t answered = 0, bytes = 0;
  const Received received =
      link_.replies().receive(link_.fd(), flags, [&](const protocol::Reply& request) {
        if (request.reply.empty()) return;
        out_ += "PUB ";
        out_ += request.reply;
        out_ += answer_tail_;
        answered++;
        bytes += request.message.size();
      });
  if (received == Received::closed) return received;
  if (!link_.answer_pings() || !link_.send_all(out_)) return Received::closed;
  out_.clear();
  if (answered == 0) return received;
  request_bytes_.store(request_bytes() + bytes, std::memory_order_relaxed);
  const int64_t now = now_ns();
  if (first_ns() == 0) first_ns_.store(now, std::memory_order_relaxed);
  last_ns_.store(now, std::memory_order_relaxed);
  answered_.store(this->answered() + answered, std::memory_order_release);
  return received;
}

}  // namespace peal::bench
