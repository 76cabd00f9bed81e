#pragma once
// What a parser made of a stream, as text to compare: a line for each command, and one for a
// refusal. It plays the caller of the parser: keeps what was not consumed, and comes back with
// more. It knows the contract of parser.hpp, and holds the parser to it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/command.hpp"
#include "protocol/parser.hpp"
#include "tests/support/guarded_bytes.hpp"

namespace peal::test {

inline std::string text_of(const protocol::Command& command) {
  using protocol::CommandKind;
  const auto part = [](std::string_view text) { return " [" + std::string(text) + "]"; };
  const auto number = [](uint32_t value) { return " " + std::to_string(value); };
  switch (command.kind) {
    case CommandKind::pub:
      return "PUB" + part(command.subject) + part(command.reply) + number(command.header_bytes) +
             part(command.message);
    case CommandKind::hpub:
      return "HPUB" + part(command.subject) + part(command.reply) + number(command.header_bytes) +
             part(command.message);
    case CommandKind::sub:
      return "SUB" + part(command.subject) + part(command.queue) + part(command.sid);
    case CommandKind::unsub:
      return "UNSUB" + part(command.sid) + number(command.max);
    case CommandKind::ping:
      return "PING";
    case CommandKind::pong:
      return "PONG";
    case CommandKind::connect:
      return "CONNECT" + part(command.document);
    case CommandKind::ignored:
      return "ignored";
  }
  std::abort();
}

inline const char* name_of(protocol::Refusal refusal) {
  using protocol::Refusal;
  switch (refusal) {
    case Refusal::unknown_operation:
      return "unknown_operation";
    case Refusal::parse_error:
      return "parse_error";
    case Refusal::protocol_violation:
      return "protocol_violation";
    case Refusal::headers_not_negotiated:
      return "headers_not_negotiated";
    case Refusal::invalid_unsub_max:
      return "invalid_unsub_max";
    case Refusal::control_line_exceeded:
      return "control_line_exceeded";
    case Refusal::payload_exceeded:
      return "payload_exceeded";
    default:
      return "not a parser's refusal";
  }
}

/// A parser and its caller. Its memory is the given one, so that many can share a large one.
class CommandLog {
 public:
  explicit CommandLog(GuardedBytes& memory, const protocol::Limits& limits = {},
                      bool headers = true)
      : memory_(memory), parser_(limits) {
    parser_.allow_headers(headers);
  }

  /// Takes one read of the stream.
  void feed(std::string_view bytes) {
    if (refused_) return;
    pending_ += bytes;
    std::string_view input = memory_.place(pending_);
    for (bool more = true; more;) more = step(input);
    pending_.erase(0, pending_.size() - input.size());
  }

  /// The commands, a line each, and the refusal if there was one.
  const std::string& text() const { return text_; }
  bool refused() const { return refused_; }
  size_t pending_bytes() const { return pending_.size(); }
  size_t needed_bytes() const { return needed_bytes_; }

 private:
  bool step(std::string_view& input) {
    protocol::Command command;
    const protocol::Step step = parser_.next(input, command);
    switch (step.kind) {
      case protocol::StepKind::command:
        if (step.consumed_bytes == 0 || step.consumed_bytes > input.size()) std::abort();
        text_ += text_of(command) + "\n";
        input.remove_prefix(step.consumed_bytes);
        return true;
      case protocol::StepKind::need_more:
        if (step.needed_bytes <= input.size()) std::abort();
        needed_bytes_ = step.needed_bytes;
        return false;
      case protocol::StepKind::refused:
        if (!protocol::facts(step.refusal).closes) std::abort();
        text_ += std::string("refused: ") + name_of(step.refusal) + "\n";
        refused_ = true;
        return false;
    }
    std::abort();
  }

  GuardedBytes& memory_;
  protocol::Parser parser_;
  std::string pending_;
  std::string text_;
  size_t needed_bytes_ = 0;
  bool refused_ = false;
};

}  // namespace peal::test
