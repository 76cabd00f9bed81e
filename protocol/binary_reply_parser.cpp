#include "protocol/binary_reply_parser.hpp"

#include "protocol/binary_frame.hpp"

namespace peal::protocol {

Step BinaryReplyParser::next(std::string_view input, BinaryReply& out) {
  if (batch_messages_ > 0) return next_of_batch(input, 0, out);
  if (input.size() < frame_head_bytes) return need(frame_head_bytes);
  const FrameHead head = load_frame_head(input.data());
  switch (head.operation) {
    case Operation::msg:
      return read_message(input, out);
    case Operation::msg_batch: {
      const Step step = begin_batch(input);
      if (step.kind != StepKind::command) return step;
      return next_of_batch(input, step.consumed_bytes, out);
    }
    case Operation::ping:
      out.kind = ReplyKind::ping;
      break;
    case Operation::pong:
      out.kind = ReplyKind::pong;
      break;
    case Operation::ok:
      out.kind = ReplyKind::ok;
      break;
    case Operation::info:
      out.kind = ReplyKind::info;
      break;
    case Operation::err:
      out.kind = ReplyKind::err;
      break;
    default:
      return refuse(Refusal::unknown_operation);
  }
  const size_t frame_bytes = frame_head_bytes + size_t{head.body_bytes};
  if (input.size() < frame_bytes) return need(frame_bytes);
  out.text = input.substr(frame_head_bytes, head.body_bytes);
  return step_over(frame_bytes);
}

Step BinaryReplyParser::read_message(std::string_view input, BinaryReply& out) {
  const FrameHead head = load_frame_head(input.data());
  size_t parts_at = frame_head_bytes;
  FrameLengths lengths{head.subject_bytes, head.reply_bytes, head.header_bytes};
  if ((head.flags & long_lengths_flag) != 0) {
    parts_at += long_lengths_bytes;
    if (head.body_bytes < long_lengths_bytes) return refuse(Refusal::invalid_frame);
    if (input.size() < parts_at) return need(parts_at);
    std::memcpy(&lengths, input.data() + frame_head_bytes, sizeof lengths);
  }
  const size_t frame_bytes = frame_head_bytes + size_t{head.body_bytes};
  if (lengths.sum() > frame_bytes - parts_at) return refuse(Refusal::invalid_frame);
  if (input.size() < frame_bytes) return need(frame_bytes);
  const size_t reply_at = parts_at + lengths.subject_bytes;
  const size_t message_at = reply_at + lengths.reply_bytes;
  out.kind = ReplyKind::msg;
  out.sid = head.id;
  out.subject = input.substr(parts_at, lengths.subject_bytes);
  out.reply = input.substr(reply_at, lengths.reply_bytes);
  out.header_bytes = lengths.header_bytes;
  out.message = input.substr(message_at, frame_bytes - message_at);
  return step_over(frame_bytes);
}

Step BinaryReplyParser::begin_batch(std::string_view input) {
  const FrameHead head = load_frame_head(input.data());
  const size_t messages_at = frame_head_bytes + size_t{head.subject_bytes};
  if (head.subject_bytes >= head.body_bytes || head.number() == 0) {
    return refuse(Refusal::invalid_frame);
  }
  const uint32_t messages_bytes = head.body_bytes - head.subject_bytes;
  if (messages_bytes % head.number() != 0) return refuse(Refusal::invalid_frame);
  // With its first message, so that each call brings one.
  if (input.size() < messages_at + head.number()) return need(messages_at + head.number());
  batch_messages_ = messages_bytes / head.number();
  batch_message_bytes_ = head.number();
  batch_sid_ = head.id;
  batch_subject_ = input.substr(frame_head_bytes, head.subject_bytes);
  return step_over(messages_at);
}

Step BinaryReplyParser::next_of_batch(std::string_view input, size_t messages_at,
                                      BinaryReply& out) {
  const size_t end = messages_at + batch_message_bytes_;
  if (input.size() < end) return need(end);
  batch_messages_--;
  out.kind = ReplyKind::msg;
  out.sid = batch_sid_;
  out.subject = batch_subject_;
  out.reply = {};
  out.header_bytes = 0;
  out.message = input.substr(messages_at, batch_message_bytes_);
  return step_over(end);
}

}  // namespace peal::protocol
