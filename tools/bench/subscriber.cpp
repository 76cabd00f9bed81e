#include "tools/bench/subscriber.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "protocol/writer.hpp"
#include "tools/bench/clock.hpp"
#include "tools/bench/receive_loop.hpp"
#include "tools/bench/stamp.hpp"

namespace peal::bench {
namespace {

// Asked for at most in one receive. Nothing is ever written there: the kernel discards.
constexpr size_t discard_bytes = 1 << 20;
char nowhere[discard_bytes];

// The kernel gives less where net.core.rmem_max is less. A reader that falls behind for a moment
// should fill this, not the server's memory.
constexpr int receive_buffer_bytes = 4 << 20;

constexpr int64_t alive_interval_ns = 30 * second_ns;

}  // namespace

Subscriber::Subscriber(Link link, SubscriberPlan plan, uint32_t index)
    : link_(std::move(link)), plan_(std::move(plan)), index_(index), streams_(plan_.streams) {
  setsockopt(link_.fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
}

std::optional<std::string> Subscriber::subscribe() {
  // Equally long ids make equally long messages: 1 alone, or 1000000 to 1999999.
  const bool one = plan_.filters.size() == 1;
  uint32_t sid = one ? 1 : 1'000'000;
  sid_bytes_ = one ? 1 : 7;
  std::string all;
  for (const std::string& filter : plan_.filters) {
    all += link_.sub_bytes(filter, plan_.queue, sid++);
  }
  if (!link_.send_all(all)) return link_.why_gone();
  // A server answers the first PING of a connection, then says one more INFO. Behind the answer to
  // another one there is nothing but messages.
  if (auto error = link_.barrier()) return error;
  return link_.barrier();
}

Received Subscriber::receive(int flags) {
  if (look_) {
    const Received looked = look(flags);
    if (looked != Received::bytes) return looked;
  }
  if (discarding_) return link_.binary() ? discard_frames(flags) : discard(flags);
  int64_t now = 0;
  ReplyStream& replies = link_.replies();
  const Received received = replies.receive(link_.fd(), flags, [&](const protocol::Reply& reply) {
    // One look at the clock for all that one receive brought, after it.
    if (now == 0) {
      now = now_ns();
      if (reset_.exchange(false, std::memory_order_relaxed)) latency_ = Histogram();
    }
    on_message(reply, now);
  });
  if (now != 0) show_counts(now);
  if (!link_.answer_pings()) return Received::closed;
  if (!uniform_ || received != Received::bytes || !link_.is_clear()) return received;
  if (link_.binary()) {
    discarding_ = replies.drop_batch(discarded_bytes_, batch_left_bytes_);
  } else {
    discarding_ = true;
    discarded_bytes_ = replies.drop_rest();
  }
  return received;
}

// All messages are equally long, and so their number is that of their bytes.
Received Subscriber::discard(int flags) {
  const ssize_t got = ::recv(link_.fd(), nowhere, discard_bytes, MSG_TRUNC | flags);
  if (got > 0) {
    discarded_bytes_ += uint64_t(got);
    const int64_t now = now_ns();
    show_counts(now);
    keep_alive(now);
    return Received::bytes;
  }
  if (got == 0) return Received::closed;
  return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::closed;
}

// In frames there is a head to be read before each batch, and what is behind it is not looked at.
Received Subscriber::discard_frames(int flags) {
  const bool in_body = names_left_bytes_ + batch_left_bytes_ > 0;
  const ssize_t got =
      in_body ? ::recv(link_.fd(), nowhere,
                       std::min(names_left_bytes_ + batch_left_bytes_, discard_bytes),
                       MSG_TRUNC | flags)
              : ::recv(link_.fd(), head_.data() + head_bytes_, head_.size() - head_bytes_, flags);
  if (got == 0) return Received::closed;
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::closed;
  if (in_body) {
    const size_t names = std::min(size_t(got), names_left_bytes_);
    names_left_bytes_ -= names;
    batch_left_bytes_ -= size_t(got) - names;
    discarded_bytes_ += size_t(got) - names;
    show_counts(now_ns());
    return Received::bytes;
  }
  head_bytes_ += size_t(got);
  if (head_bytes_ < head_.size()) return Received::bytes;
  head_bytes_ = 0;
  return on_head(protocol::load_frame_head(head_.data())) ? Received::bytes : Received::closed;
}

// False when it is not what was expected: then nothing can be counted any more.
bool Subscriber::on_head(const protocol::FrameHead& head) {
  using protocol::Operation;
  switch (head.operation) {
    case Operation::msg:
    case Operation::msg_batch:
      names_left_bytes_ = head.subject_bytes;
      batch_left_bytes_ = head.body_bytes - head.subject_bytes;
      return head.flags == 0 && head.subject_bytes <= head.body_bytes &&
             (head.operation == Operation::msg
                  ? head.reply_bytes == 0 && batch_left_bytes_ == uniform_bytes()
                  : head.number() == uniform_bytes());
    case Operation::ping:
      return link_.send_pong();
    case Operation::info:
    case Operation::err:
      names_left_bytes_ = head.body_bytes;
      return head.operation == Operation::info;
    default:
      return true;
  }
}

void Subscriber::show_counts(int64_t now_ns) {
  uint64_t messages = parsed_;
  uint64_t bytes = parsed_bytes_;
  if (discarding_) {
    const uint64_t discarded = discarded_bytes_ / uniform_bytes();
    messages += discarded;
    bytes += discarded * plan_.expected.message_bytes;
  }
  bytes_.store(bytes, std::memory_order_relaxed);
  if (first_ns() == 0) first_ns_.store(now_ns, std::memory_order_relaxed);
  last_ns_.store(now_ns, std::memory_order_relaxed);
  messages_.store(messages, std::memory_order_release);
}

// A rest of whole PINGs may be PINGs, or the front of a message whose other half is delayed. What
// comes next tells. Until then, a PONG too many does no harm.
void Subscriber::on_quiet() {
  // Who discards may be sent messages only. In such a run there are publishers, who find out.
  if (uniform_bytes() == 0) return link_.ask();
  if (!discarding_ || link_.binary()) return;
  const uint64_t rest = discarded_bytes_ % plan_.expected.frame_bytes;
  if (rest % protocol::ping_line.size() != 0) return;
  if (rest != 0) link_.send_all(protocol::pong_line);
  look_ = true;
}

/// After a silence: goes back to parsing if what comes next is the beginning of something.
Received Subscriber::look(int flags) {
  char verb[4];
  const ssize_t got = ::recv(link_.fd(), verb, sizeof verb, MSG_PEEK | flags);
  if (got == 0) return Received::closed;
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::closed;
  look_ = false;
  const std::string_view seen(verb, size_t(got));
  for (const std::string_view start : {"MSG ", "HMSG", "PING", "INFO", "-ERR"}) {
    if (seen != start) continue;
    const uint64_t discarded = discarded_bytes_ / plan_.expected.frame_bytes;
    parsed_ += discarded;
    parsed_bytes_ += discarded * plan_.expected.message_bytes;
    discarding_ = false;
    uniform_ = false;
  }
  return Received::bytes;
}

void Subscriber::keep_alive(int64_t now_ns) {
  if (now_ns < alive_ns_ + alive_interval_ns) return;
  if (alive_ns_ != 0) link_.send_all(protocol::pong_line);
  alive_ns_ = now_ns;
}

void Subscriber::on_message(const protocol::Reply& reply, int64_t now_ns) {
  parsed_++;
  parsed_bytes_ += reply.message.size();
  switch (plan_.listening) {
    case Listening::count:
      uniform_ = uniform_bytes() != 0 && looks_right(reply);
      return;
    case Listening::time: {
      const std::string_view payload = reply.message.substr(reply.header_bytes);
      if (payload.size() >= due_bytes) latency_.record(now_ns - read_due(payload));
      return;
    }
    case Listening::check:
      return check(reply, now_ns);
  }
}

void Subscriber::check(const protocol::Reply& reply, int64_t now_ns) {
  const auto seal = read_seal(reply.message.substr(reply.header_bytes));
  if (!seal || seal->stream >= streams_.size() || !looks_right(reply)) {
    damaged_++;
    return;
  }
  latency_.record(now_ns - seal->due_ns);
  streams_[seal->stream].on_number(seal->number);
}

bool Subscriber::looks_right(const protocol::Reply& reply) const {
  const ExpectedMessage& expected = plan_.expected;
  return reply.message.size() == expected.message_bytes &&
         reply.header_bytes == expected.headers.size() &&
         reply.message.starts_with(expected.headers) && reply.reply.empty() &&
         reply.sid.size() == sid_bytes_ && reply.subject.size() == expected.subject_bytes &&
         reply.subject.starts_with(expected.subject_start);
}

namespace {

void on_closed(Subscriber& subscriber, RunControl& control, const std::atomic<bool>& closing) {
  if (closing.load(std::memory_order_relaxed)) return;
  const std::string& error = subscriber.link().replies().error();
  control.fail(fmt::format("subscriber {} was closed after {} messages: {}", subscriber.index(),
                           subscriber.messages(),
                           error.empty() ? "the server did not say why" : error));
}

}  // namespace

void listen(const std::vector<Subscriber*>& mine, RunControl& control,
            const std::atomic<bool>& closing) {
  receive_on_all(mine, [&](Subscriber& subscriber) { on_closed(subscriber, control, closing); });
}

}  // namespace peal::bench
