#include "protocol/binary_parser.hpp"

#include <algorithm>

#include "protocol/binary_writer.hpp"
#include "protocol/scan.hpp"

namespace peal::protocol {
namespace {

/// Whether it could stand in a line: messages go on to who reads lines, and there a blank or a
/// control byte would be the beginning of something else. REQUIRES that all up to `readable_end`
/// is readable.
bool is_word(std::string_view text, const char* readable_end) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end; at += scan::block_bytes) {
    const size_t wanted = std::min(size_t(end - at), scan::block_bytes);
    if (scan::blanks_within(at, wanted, size_t(readable_end - at)) != 0) return false;
  }
  return true;
}

bool is_bare(const FrameHead& head) {
  return head.flags == 0 && head.subject_bytes == 0 && head.id == 0 && head.number() == 0;
}

Step step_as(CommandKind kind, size_t frame_bytes, Frame& out) {
  out.kind = FrameKind::command;
  out.command.kind = kind;
  return step_over(frame_bytes);
}

/// Where the parts of a frame begin and how long they are, once that is there. What does not fit
/// the body is refused before any of it is waited for.
struct Layout {
  Step step;  // A command: all of what follows is known.
  FrameLengths lengths;
  size_t parts_at = frame_head_bytes;
  size_t payload_bytes = 0;  // Behind subject, reply and headers.
};

Layout layout_of(std::string_view input, const FrameHead& head) {
  Layout layout;
  layout.step = refuse(Refusal::invalid_frame);
  if ((head.flags & ~long_lengths_flag) != 0) return layout;
  size_t body_bytes = head.body_bytes;
  if ((head.flags & long_lengths_flag) != 0) {
    if (head.subject_bytes != 0 || head.number() != 0 || body_bytes < long_lengths_bytes) {
      return layout;
    }
    layout.parts_at += long_lengths_bytes;
    body_bytes -= long_lengths_bytes;
    if (input.size() < layout.parts_at) {
      layout.step = need(layout.parts_at);
      return layout;
    }
    std::memcpy(&layout.lengths, input.data() + frame_head_bytes, sizeof layout.lengths);
  } else {
    layout.lengths = {head.subject_bytes, head.reply_bytes, head.header_bytes};
  }
  if (layout.lengths.sum() > body_bytes) return layout;
  layout.payload_bytes = body_bytes - static_cast<size_t>(layout.lengths.sum());
  layout.step = step_over(frame_head_bytes + size_t{head.body_bytes});
  return layout;
}

}  // namespace

Step BinaryParser::next(std::string_view input, Frame& out) {
  if (batch_messages_ > 0) return read_messages(input, out);
  if (input.size() < frame_head_bytes) return need(frame_head_bytes);
  const FrameHead head = load_frame_head(input.data());
  switch (head.operation) {
    case Operation::pub:
      return read_pub(input, head, out);
    case Operation::pub_batch:
      return read_batch(input, head, out);
    case Operation::sub:
      return read_sub(input, head, out);
    case Operation::unsub:
      return read_unsub(head, out);
    case Operation::ping:
    case Operation::pong:
      if (!is_bare(head) || head.body_bytes != 0) return refuse(Refusal::invalid_frame);
      return step_as(head.operation == Operation::ping ? CommandKind::ping : CommandKind::pong,
                     frame_head_bytes, out);
    case Operation::connect:
      return read_connect(input, head, out);
    case Operation::info:
    case Operation::msg:
    case Operation::msg_batch:
    case Operation::ok:
    case Operation::err:
      break;
  }
  return refuse(Refusal::unknown_operation);
}

Step BinaryParser::read_pub(std::string_view input, const FrameHead& head, Frame& out) {
  const Layout layout = layout_of(input, head);
  if (layout.step.kind != StepKind::command) return layout.step;
  const FrameLengths& lengths = layout.lengths;
  if (head.id == 0 && lengths.subject_bytes == 0) return refuse(Refusal::invalid_frame);
  const uint64_t names_bytes = uint64_t{lengths.subject_bytes} + lengths.reply_bytes;
  if (names_bytes > names_bytes_max_) return refuse(Refusal::control_line_exceeded);
  const size_t message_bytes = lengths.header_bytes + layout.payload_bytes;
  if (message_bytes > payload_bytes_max_) return refuse(Refusal::payload_exceeded);
  if (lengths.header_bytes > 0 && !headers_allowed_) {
    return refuse(Refusal::headers_not_negotiated);
  }
  if (input.size() < layout.step.consumed_bytes) return need(layout.step.consumed_bytes);

  const char* const input_end = input.data() + input.size();
  const char* const subject = input.data() + layout.parts_at;
  const char* const reply = subject + lengths.subject_bytes;
  Command& command = out.command;
  command.subject = {subject, lengths.subject_bytes};
  command.reply = {reply, lengths.reply_bytes};
  command.message = {reply + lengths.reply_bytes, message_bytes};
  command.header_bytes = lengths.header_bytes;
  if (!is_word(command.subject, input_end) || !is_word(command.reply, input_end)) {
    return refuse(Refusal::invalid_frame);
  }
  out.alias = head.id;
  return step_as(lengths.header_bytes > 0 ? CommandKind::hpub : CommandKind::pub,
                 layout.step.consumed_bytes, out);
}

// How many there are follows from the lengths, so there is no number that could say otherwise.
Step BinaryParser::read_batch(std::string_view input, const FrameHead& head, Frame& out) {
  const uint32_t message_bytes = head.number();
  if (head.flags != 0 || message_bytes == 0 || head.subject_bytes >= head.body_bytes ||
      (head.id == 0 && head.subject_bytes == 0)) {
    return refuse(Refusal::invalid_frame);
  }
  const uint32_t messages_bytes = head.body_bytes - head.subject_bytes;
  if (messages_bytes % message_bytes != 0) return refuse(Refusal::invalid_frame);
  if (head.subject_bytes > names_bytes_max_) return refuse(Refusal::control_line_exceeded);
  if (message_bytes > payload_bytes_max_) return refuse(Refusal::payload_exceeded);
  const size_t needed_bytes = frame_head_bytes + head.subject_bytes;
  if (input.size() < needed_bytes) return need(needed_bytes);

  Command& command = out.command;
  command.kind = CommandKind::pub;
  command.subject = input.substr(frame_head_bytes, head.subject_bytes);
  command.reply = {};
  command.header_bytes = 0;
  if (!is_word(command.subject, input.data() + input.size())) {
    return refuse(Refusal::invalid_frame);
  }
  batch_messages_ = messages_bytes / message_bytes;
  batch_message_bytes_ = message_bytes;
  out.kind = FrameKind::batch;
  out.alias = head.id;
  return step_over(needed_bytes);
}

// The limit may have become less since the batch began.
Step BinaryParser::read_messages(std::string_view input, Frame& out) {
  if (batch_message_bytes_ > payload_bytes_max_) return refuse(Refusal::payload_exceeded);
  const size_t messages = std::min<size_t>(batch_messages_, input.size() / batch_message_bytes_);
  if (messages == 0) return need(batch_message_bytes_);
  batch_messages_ -= static_cast<uint32_t>(messages);
  out.kind = FrameKind::messages;
  out.first = input.data();
  out.message_bytes = batch_message_bytes_;
  out.messages = messages;
  return step_over(messages * batch_message_bytes_);
}

Step BinaryParser::read_sub(std::string_view input, const FrameHead& head, Frame& out) {
  const Layout layout = layout_of(input, head);
  if (layout.step.kind != StepKind::command) return layout.step;
  const FrameLengths& lengths = layout.lengths;
  if (lengths.subject_bytes == 0 || lengths.header_bytes != 0 || layout.payload_bytes != 0) {
    return refuse(Refusal::invalid_frame);
  }
  if (lengths.sum() > names_bytes_max_) return refuse(Refusal::control_line_exceeded);
  if (input.size() < layout.step.consumed_bytes) return need(layout.step.consumed_bytes);

  const char* const input_end = input.data() + input.size();
  Command& command = out.command;
  command.subject = input.substr(layout.parts_at, lengths.subject_bytes);
  command.queue = input.substr(layout.parts_at + lengths.subject_bytes, lengths.reply_bytes);
  if (!is_word(command.subject, input_end) || !is_word(command.queue, input_end)) {
    return refuse(Refusal::invalid_frame);
  }
  write_sid(head.id, out);
  return step_as(CommandKind::sub, layout.step.consumed_bytes, out);
}

Step BinaryParser::read_unsub(const FrameHead& head, Frame& out) {
  if (head.flags != 0 || head.subject_bytes != 0 || head.body_bytes != 0) {
    return refuse(Refusal::invalid_frame);
  }
  write_sid(head.id, out);
  out.command.max = head.number();
  return step_as(CommandKind::unsub, frame_head_bytes, out);
}

Step BinaryParser::read_connect(std::string_view input, const FrameHead& head, Frame& out) {
  if (!is_bare(head)) return refuse(Refusal::invalid_frame);
  if (head.body_bytes > names_bytes_max_) return refuse(Refusal::control_line_exceeded);
  const size_t frame_bytes = text_frame_bytes(head.body_bytes);
  if (input.size() < frame_bytes) return need(frame_bytes);
  out.command.document = input.substr(frame_head_bytes, head.body_bytes);
  return step_as(CommandKind::connect, frame_bytes, out);
}

void BinaryParser::write_sid(uint32_t sid, Frame& out) {
  out.command.sid = {sid_, size_t(write_decimal(sid_, sid) - sid_)};
}

}  // namespace peal::protocol
