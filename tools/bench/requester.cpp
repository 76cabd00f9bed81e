#include "tools/bench/requester.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "core/random.hpp"
#include "tools/bench/clock.hpp"
#include "tools/bench/message_block.hpp"

namespace peal::bench {
namespace {

// A reply's subject ends in the number of the request that it belongs to: replies of several
// responders come in any order.
constexpr size_t slot_digits = 4;
constexpr int64_t patience_ns = 5 * second_ns;

void write_slot(char* out, uint32_t slot) {
  for (size_t digit = slot_digits; digit > 0; digit--) {
    out[digit - 1] = char('0' + slot % 10);
    slot /= 10;
  }
}

uint32_t read_slot(std::string_view subject) {
  uint32_t slot = 0;
  for (const char digit : subject.substr(subject.size() - slot_digits)) {
    slot = slot * 10 + uint32_t(uint8_t(digit) - '0');
  }
  return slot;
}

// Two generators at one server must not hear each other's replies.
std::string inbox_of(uint32_t index) {
  core::Random random(uint64_t(now_ns()) ^ uint64_t(::getpid()) << 32 ^ index);
  return fmt::format("_INBOX.{:016x}", random.next());
}

}  // namespace

std::string request_subject(const Options& options) {
  return fmt::format("{}.request.{}", options.subject_prefix, options.first_channel);
}

Requester::Requester(Link link, const Options& options, uint32_t index)
    : link_(std::move(link)), index_(index), inbox_(inbox_of(index)), sent_ns_(options.in_flight) {
  const std::string reply = inbox_ + "." + std::string(slot_digits, '0');
  request_ = pub_bytes({.subject = request_subject(options),
                        .reply = reply,
                        .payload_bytes = options.size_bytes,
                        .headers = 0,
                        .binary = options.binary});
  slot_at_ = request_.find(reply) + reply.size() - slot_digits;
}

std::optional<std::string> Requester::subscribe() {
  if (!link_.send_all(link_.sub_bytes(inbox_ + ".*", {}, 1))) return link_.why_gone();
  return link_.barrier();
}

bool Requester::begin(int64_t measure_ns, int64_t end_ns, uint64_t requests) {
  measure_ns_ = measure_ns;
  end_ns_ = end_ns;
  requests_ = requests;
  now_ns_ = now_ns();
  for (uint32_t slot = 0; slot < sent_ns_.size() && wants_more(); slot++) {
    add_request(slot, now_ns_);
  }
  if (!link_.send_all(out_)) error_ = link_.why_gone();
  out_.clear();
  return error_.empty();
}

void Requester::add_request(uint32_t slot, int64_t now_ns) {
  write_slot(request_.data() + slot_at_, slot);
  out_ += request_;
  sent_ns_[slot] = now_ns;
  outstanding_++;
  if (now_ns >= measure_ns_) measured_++;
}

Received Requester::receive(int flags) {
  bool looked = false;
  const Received received =
      link_.replies().receive(link_.fd(), flags, [&](const protocol::Reply& reply) {
        if (!looked) now_ns_ = now_ns();
        looked = true;
        on_reply(reply, now_ns_);
      });
  if (received == Received::closed) {
    if (error_.empty()) error_ = link_.why_gone();
    return received;
  }
  if (error_.empty()) error_ = link_.replies().error();
  if (!error_.empty()) return Received::closed;
  if (!link_.answer_pings() || !link_.send_all(out_)) {
    error_ = link_.why_gone();
    return Received::closed;
  }
  out_.clear();
  return is_done() ? Received::closed : received;
}

void Requester::on_reply(const protocol::Reply& reply, int64_t now_ns) {
  if (reply.message.starts_with("NATS/1.0 503")) {
    error_ = "nobody answers: there is no responder";
    return;
  }
  if (reply.subject.size() != inbox_.size() + 1 + slot_digits) return;
  const uint32_t slot = read_slot(reply.subject);
  // Of two replies to one request, the second has nothing to be measured by.
  if (slot >= sent_ns_.size() || sent_ns_[slot] == 0) return;
  const int64_t sent_ns = sent_ns_[slot];
  sent_ns_[slot] = 0;
  outstanding_--;
  if (sent_ns >= measure_ns_) {
    latency_.record(now_ns - sent_ns);
    reply_bytes_ += reply.message.size();
    last_ns_ = now_ns;
    replies_.store(replies() + 1, std::memory_order_relaxed);
  }
  if (wants_more()) add_request(slot, now_ns);
}

void Requester::on_quiet() {
  now_ns_ = now_ns();
  const int64_t oldest =
      *std::min_element(sent_ns_.begin(), sent_ns_.end(),
                        [](int64_t a, int64_t b) { return uint64_t(a - 1) < uint64_t(b - 1); });
  if (outstanding_ > 0 && now_ns_ < oldest + patience_ns) return;
  if (outstanding_ > 0) error_ = "a request had no reply in 5 s";
  link_.shut_down();  // The next receive ends it.
}

}  // namespace peal::bench
