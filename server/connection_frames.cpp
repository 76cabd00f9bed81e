// A connection whose client speaks in frames: how it comes to that, and its frames in and out. What
// the commands do is the same as for lines, and is in commands.cpp.

#include <cassert>

#include "protocol/binary_writer.hpp"
#include "protocol/writer.hpp"
#include "server/connection.hpp"
#include "server/reserved_subjects.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

constexpr std::string_view err_start = "-ERR '";
constexpr std::string_view err_end = "'\r\n";
constexpr std::string_view info_start = "INFO ";
constexpr std::string_view info_end = " \r\n";

struct Said {
  protocol::Operation operation;
  std::string_view text;
};

/// What one of our own lines says.
Said said_by(std::string_view line) {
  using protocol::Operation;
  const auto between = [&](std::string_view start, std::string_view end) {
    return line.substr(start.size(), line.size() - start.size() - end.size());
  };
  if (line.starts_with(err_start)) return {Operation::err, between(err_start, err_end)};
  if (line.starts_with(info_start)) return {Operation::info, between(info_start, info_end)};
  if (line == protocol::ping_line) return {Operation::ping, {}};
  if (line == protocol::pong_line) return {Operation::pong, {}};
  assert(line == protocol::ok_line);
  return {Operation::ok, {}};
}

}  // namespace

// ---- How it comes to that.

// False when it asks for what cannot be. It is asked for with the first CONNECT, before there is a
// subscription: frames have numbers for those.
bool Connection::may_have_framing(std::string_view framing) {
  if (framing.empty()) return true;
  const bool wants_binary = framing == protocol::binary_framing;
  if (!wants_binary && framing != protocol::text_framing) {
    refuse(protocol::Refusal::unsupported_framing);
    return false;
  }
  if (wants_binary == binary()) return true;
  if (!connected_ && !binary() && owned_ == no_subscription) return true;
  refuse(protocol::Refusal::framing_fixed);
  return false;
}

// The +OK is the last line, and the sign for the client that frames follow.
void Connection::begin_frames() {
  send_line(protocol::ok_line);
  binary_ = std::make_unique<BinaryLink>(parser_limits());
  binary_->parser.allow_headers(headers_);
}

protocol::Limits Connection::parser_limits() const {
  const Limits& limits = shard_.options().limits;
  return {limits.control_line_bytes_max,
          payload_bytes_max_ != 0 ? payload_bytes_max_ : limits.payload_bytes_max};
}

void Connection::take_parser_limits() {
  parser_.set_limits(parser_limits());
  if (binary_) binary_->parser.set_limits(parser_limits());
}

void Connection::forget_permitted() {
  if (route_memo_) route_memo_->forget_permitted();
  if (binary_) binary_->aliases.each([](SubjectAlias& alias) { alias.memo.forget_permitted(); });
}

// ---- In.

// As parse(), frame by frame.
size_t Connection::parse_frames(std::string_view input) {
  size_t consumed = 0;
  needed_bytes_ = 0;
  protocol::Frame frame;
  while (consumed < input.size()) {
    const protocol::Step step = binary_->parser.next(input.substr(consumed), frame);
    if (step.kind == protocol::StepKind::need_more) {
      needed_bytes_ = step.needed_bytes;
      break;
    }
    if (step.kind == protocol::StepKind::refused) {
      refuse(step.refusal);
      break;
    }
    const size_t taken_bytes = take_frame(frame, step.consumed_bytes);
    consumed += taken_bytes;
    if (taken_bytes < step.consumed_bytes || !ready()) break;
  }
  return consumed;
}

// Returns how many of its bytes it took: less than all when it has to wait, or may not go on.
size_t Connection::take_frame(protocol::Frame& frame, size_t frame_bytes) {
  switch (frame.kind) {
    case protocol::FrameKind::command: {
      if (protocol::publishes(frame.command.kind) && !find_subject(frame)) return 0;
      return apply(frame.command) == Verdict::parked ? 0 : frame_bytes;
    }
    case protocol::FrameKind::batch:
      if (!find_subject(frame)) return 0;
      binary_->batch_subject = frame.command.subject;
      // What is remembered of another subject is not to be taken for this one's.
      if (route_memo().subject() != binary_->batch_subject) route_memo().forget();
      return frame_bytes;
    case protocol::FrameKind::messages: {
      const size_t taken = publish_messages(frame);
      binary_->parser.give_back(frame.messages - taken);
      return taken * frame.message_bytes;
    }
  }
  __builtin_unreachable();
}

// Brings together subject, alias and the memo of the route. False when there is no such alias, or
// cannot be.
bool Connection::find_subject(protocol::Frame& frame) {
  std::string_view& subject = frame.command.subject;
  if (frame.alias == 0) {
    use_own_route();
    return true;
  }
  SubjectAliases& aliases = binary_->aliases;
  SubjectAlias* const alias =
      subject.empty() ? aliases.find(frame.alias) : aliases.name(frame.alias, subject);
  if (alias == nullptr) {
    refuse(subject.empty() && frame.alias <= SubjectAliases::aliases_max
               ? protocol::Refusal::unknown_subject_alias
               : protocol::Refusal::subject_aliases_exceeded);
    return false;
  }
  subject = alias->subject;
  route_ = &alias->memo;
  return true;
}

// Messages of a batch, as many as can be had at once. Each is looked at by itself where somebody
// wants to see it, or has to ask whether it may be published.
size_t Connection::publish_messages(const protocol::Frame& frame) {
  const std::string_view subject = binary_->batch_subject;
  const MessageRun run{frame.first, frame.message_bytes, frame.message_bytes, frame.messages, 0};
  protocol::Command command;
  command.kind = protocol::CommandKind::pub;
  command.subject = subject;
  command.reply = {};
  command.header_bytes = 0;
  size_t taken = 0;
  while (taken < run.count && ready()) {
    const bool one_by_one = shard_.tracing() || is_reserved_subject(subject) ||
                            (restricted_ && !route_memo().is_permitted(subject));
    if (!one_by_one) {
      return taken + shard_.router().publish_again(*this, subject, run.behind(taken));
    }
    command.message = {run.behind(taken).first, run.size};
    if (apply(command) == Verdict::parked) break;
    taken++;
  }
  return taken;
}

// ---- Out.

void Connection::append_frame_of(std::string_view line) {
  const Said said = said_by(line);
  const size_t bytes = protocol::text_frame_bytes(said.text.size());
  protocol::write_text_frame(outbox_.reserve(shard_.pool(), bytes), said.operation, said.text);
  outbox_.commit(bytes);
}

}  // namespace peal::server
