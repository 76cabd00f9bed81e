#pragma once
// What the parser of frames made of a stream, as text to compare, in the words of command_log.hpp:
// whatever was said in frames reads as if it had been said in lines. Messages of a batch are a line
// each, however many came at once. It plays the caller, and holds the parser to its contract; some
// callers take fewer messages than they are given.

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/binary_parser.hpp"
#include "tests/support/command_log.hpp"
#include "tests/support/guarded_bytes.hpp"

namespace peal::test {

class FrameLog {
 public:
  /// Of messages that are given at once, at most `taken_max` are taken.
  explicit FrameLog(GuardedBytes& memory, const protocol::Limits& limits = {}, bool headers = true,
                    size_t taken_max = SIZE_MAX)
      : memory_(memory), parser_(limits), taken_max_(taken_max) {
    parser_.allow_headers(headers);
  }

  void feed(std::string_view bytes) {
    if (refused_) return;
    pending_ += bytes;
    std::string_view input = memory_.place(pending_);
    while (step(input)) {
    }
    pending_.erase(0, pending_.size() - input.size());
  }

  const std::string& text() const { return text_; }
  size_t needed_bytes() const { return needed_bytes_; }

 private:
  bool step(std::string_view& input) {
    protocol::Frame frame;
    const protocol::Step step = parser_.next(input, frame);
    switch (step.kind) {
      case protocol::StepKind::command:
        if (step.consumed_bytes == 0 || step.consumed_bytes > input.size()) std::abort();
        input.remove_prefix(take(frame, step.consumed_bytes));
        return true;
      case protocol::StepKind::need_more:
        if (step.needed_bytes <= input.size()) std::abort();
        needed_bytes_ = step.needed_bytes;
        return false;
      case protocol::StepKind::refused:
        if (!protocol::facts(step.refusal).closes) std::abort();
        text_ += "refused: ";
        text_ += step.refusal == protocol::Refusal::invalid_frame ? "invalid_frame"
                                                                  : name_of(step.refusal);
        text_ += "\n";
        refused_ = true;
        return false;
    }
    std::abort();
  }

  size_t take(const protocol::Frame& frame, size_t frame_bytes) {
    switch (frame.kind) {
      case protocol::FrameKind::command: {
        const bool publishes = frame.command.kind == protocol::CommandKind::pub ||
                               frame.command.kind == protocol::CommandKind::hpub;
        if (publishes && frame.alias != 0) text_ += "#" + std::to_string(frame.alias) + " ";
        text_ += text_of(frame.command) + "\n";
        return frame_bytes;
      }
      case protocol::FrameKind::batch:
        batch_ = frame.alias == 0 ? "" : "#" + std::to_string(frame.alias) + " ";
        batch_ += "PUB [" + std::string(frame.command.subject) + "] [] 0 [";
        return frame_bytes;
      case protocol::FrameKind::messages: {
        if (frame.messages * frame.message_bytes != frame_bytes) std::abort();
        const size_t taken = std::min(frame.messages, taken_max_);
        for (size_t i = 0; i < taken; i++) {
          text_ += batch_;
          text_ += std::string_view(frame.first + i * frame.message_bytes, frame.message_bytes);
          text_ += "]\n";
        }
        parser_.give_back(frame.messages - taken);
        return taken * frame.message_bytes;
      }
    }
    std::abort();
  }

  GuardedBytes& memory_;
  protocol::BinaryParser parser_;
  const size_t taken_max_;
  std::string pending_;
  std::string text_;
  std::string batch_;
  size_t needed_bytes_ = 0;
  bool refused_ = false;
};

}  // namespace peal::test
