#include "tools/bench/responder.hpp"

#include <fmt/format.h>

#include "protocol/binary_writer.hpp"
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
      answer_(options.size_bytes, 'r'),
      answer_tail_(fmt::format(" {}\r\n{}\r\n", options.size_bytes, answer_)) {}

std::optional<std::string> Responder::subscribe() {
  const std::string_view queue =
      options_.queue.empty() ? default_queue : std::string_view(options_.queue);
  if (!link_.send_all(link_.sub_bytes(request_subject(options_), queue, 1))) {
    return link_.why_gone();
  }
  return link_.barrier();
}

void Responder::add_answer(std::string_view to) {
  if (link_.binary()) {
    const size_t begin = out_.size();
    out_.resize(begin + protocol::message_head_bytes_max(to.size(), 0));
    const char* const end =
        protocol::write_message_head(out_.data() + begin, protocol::Operation::pub,
                                     {.subject = to, .message_bytes = answer_.size()});
    out_.resize(size_t(end - out_.data()));
    out_ += answer_;
    return;
  }
  out_ += "PUB ";
  out_ += to;
  out_ += answer_tail_;
}

// All answers to what one receive brought leave in one send.
Received Responder::receive(int flags) {
  uint64_t answered = 0, bytes = 0;
  const Received received =
      link_.replies().receive(link_.fd(), flags, [&](const protocol::Reply& request) {
        if (request.reply.empty()) return;
        add_answer(request.reply);
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
