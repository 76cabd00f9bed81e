#include "tools/bench/reply_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace peal::bench {

Received ReplyStream::read_some(int fd, int flags) {
  while (true) {
    char* const to = buffer_.data() + end_;
    const size_t room = buffer_.size() - end_;
    const ssize_t got =
        tls_ != nullptr ? tls_->receive(to, room, flags) : ::recv(fd, to, room, flags);
    if (got > 0) {
      end_ += size_t(got);
      return Received::bytes;
    }
    if (got == 0) return Received::closed;
    switch (errno) {
      case EINTR:
        continue;
      case EAGAIN:
        return Received::nothing;
      default:
        if (!error_.empty()) return Received::closed;
        error_ = tls_ != nullptr && errno == EPROTO ? tls_->reason() : std::strerror(errno);
        return Received::closed;
    }
  }
}

// Whatever came in frames reads as if it had come in lines, but for the subject that a frame leaves
// out.
protocol::Step ReplyStream::next(std::string_view input, protocol::Reply& reply) {
  if (!in_frames_) [[likely]]
    return parser_.next(input, reply);
  protocol::BinaryReply framed;
  const protocol::Step step = frames_.next(input, framed);
  reply.kind = framed.kind;
  reply.subject = framed.subject;
  reply.sid = {sid_, size_t(protocol::write_decimal(sid_, framed.sid) - sid_)};
  reply.reply = framed.reply;
  reply.message = framed.message;
  reply.header_bytes = framed.header_bytes;
  reply.text = framed.text;
  return step;
}

void ReplyStream::on_line(const protocol::Reply& reply) {
  switch (reply.kind) {
    case protocol::ReplyKind::info:
      info_ = reply.text;
      return;
    case protocol::ReplyKind::ping:
      pings_++;
      return;
    case protocol::ReplyKind::pong:
      pongs_++;
      return;
    case protocol::ReplyKind::err:
      error_ = reply.text;
      return;
    case protocol::ReplyKind::ok:
      in_frames_ = in_frames_ || frames_expected_;
      return;
    case protocol::ReplyKind::msg:
    case protocol::ReplyKind::hmsg:
      return;
  }
}

// What is left is the front of a message. It moves to the front of the buffer, which grows when
// the whole would not fit.
void ReplyStream::make_room(size_t needed_bytes) {
  const size_t left = end_ - begin_;
  if (begin_ != 0 && left != 0) std::memmove(buffer_.data(), buffer_.data() + begin_, left);
  begin_ = 0;
  end_ = left;
  if (needed_bytes > buffer_.size()) buffer_.resize(std::max(needed_bytes, 2 * buffer_.size()));
}

}  // namespace peal::bench
