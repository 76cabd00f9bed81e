#pragma once
// What a server says on one connection, cut into messages. It answers nothing: whoever owns the
// connection may be in the middle of a PUB. It knows the wire; what a message is for it must never
// know.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/binary_reply_parser.hpp"
#include "protocol/decimal.hpp"
#include "protocol/reply_parser.hpp"
#include "tools/bench/tls.hpp"

namespace peal::bench {

enum class Received : uint8_t {
  bytes,
  nothing,  // None came in the time that the socket allows.
  closed,   // By the server; `error` may say why.
};

class ReplyStream {
 public:
  explicit ReplyStream(size_t buffer_bytes) : buffer_(buffer_bytes) {}

  /// From now on what comes is encrypted. `tls` outlives this.
  void decrypt_by(TlsStream* tls) { tls_ = tls; }
  /// Behind the next +OK there are frames.
  void expect_frames() { frames_expected_ = true; }
  bool in_frames() const { return in_frames_; }

  /// One receive, and a call with a `const protocol::Reply&` for each message in what came. Its
  /// views live for that call.
  template <typename OnMessage>
  Received receive(int fd, int flags, OnMessage&& on_message);

  /// PINGs that want a PONG, since the last call.
  uint32_t take_pings() {
    const uint32_t pings = pings_;
    pings_ = 0;
    return pings;
  }

  uint64_t pongs() const { return pongs_; }
  /// Forgets the front of a message that waits for its rest, and says how long it is: for who takes
  /// over and reads the rest himself.
  size_t drop_rest() {
    const size_t rest = end_ - begin_;
    begin_ = end_ = 0;
    parser_ = {};
    return rest;
  }
  /// The same where frames are spoken: gives up the messages that a batch still owes, and says how
  /// many bytes of them were here and are to come. False in the middle of anything else.
  bool drop_batch(size_t& here_bytes, size_t& to_come_bytes) {
    here_bytes = end_ - begin_;
    const size_t left_bytes = frames_.batch_bytes_left();
    if (left_bytes < here_bytes) return false;
    to_come_bytes = left_bytes - here_bytes;
    begin_ = end_ = 0;
    frames_ = {};
    return true;
  }
  /// What is wrong without the server having said so.
  void fail(std::string sentence) { error_ = std::move(sentence); }
  /// The last -ERR, or how the server broke the protocol.
  const std::string& error() const { return error_; }
  /// The last INFO.
  const std::string& info() const { return info_; }

 private:
  Received read_some(int fd, int flags);
  bool has_rest() const { return tls_ != nullptr && tls_->has_rest(); }
  template <typename OnMessage>
  Received parse(OnMessage&& on_message);
  protocol::Step next(std::string_view input, protocol::Reply& reply);
  void on_line(const protocol::Reply& reply);
  void make_room(size_t needed_bytes);

  TlsStream* tls_ = nullptr;
  std::vector<char> buffer_;  // [begin_, end_) is not parsed yet.
  size_t begin_ = 0;
  size_t end_ = 0;
  protocol::ReplyParser parser_;
  protocol::BinaryReplyParser frames_;
  bool frames_expected_ = false;
  bool in_frames_ = false;
  char sid_[protocol::decimal_bytes_max];
  uint32_t pings_ = 0;
  uint64_t pongs_ = 0;
  std::string error_;
  std::string info_;
};

template <typename OnMessage>
Received ReplyStream::receive(int fd, int flags, OnMessage&& on_message) {
  Received received = read_some(fd, flags);
  if (received == Received::bytes) received = parse(on_message);
  // Nobody would be told of it by the socket.
  while (received == Received::bytes && has_rest()) {
    received = read_some(fd, flags);
    if (received == Received::bytes) received = parse(on_message);
  }
  return received;
}

template <typename OnMessage>
Received ReplyStream::parse(OnMessage&& on_message) {
  protocol::Reply reply;
  while (true) {
    const auto step = next({buffer_.data() + begin_, end_ - begin_}, reply);
    if (step.kind == protocol::StepKind::refused) {
      error_ = "what it sent is not the NATS protocol";
      return Received::closed;
    }
    if (step.kind == protocol::StepKind::need_more) {
      make_room(step.needed_bytes);
      return Received::bytes;
    }
    begin_ += step.consumed_bytes;
    if (reply.kind == protocol::ReplyKind::msg || reply.kind == protocol::ReplyKind::hmsg) {
      on_message(static_cast<const protocol::Reply&>(reply));
    } else {
      on_line(reply);
    }
  }
}

}  // namespace peal::bench
