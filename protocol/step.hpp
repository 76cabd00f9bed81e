#pragma once
// What one call of a parser came to. It knows lengths and refusals, and no bytes.

#include <cstddef>
#include <cstdint>

#include "protocol/error.hpp"

namespace peal::protocol {

enum class StepKind : uint8_t {
  command,    // One command was read; it took `consumed_bytes`.
  need_more,  // Nothing was consumed; call again with `needed_bytes`, counted from the same start.
  refused,    // The peer broke the protocol, for the reason in `refusal`. All of these close.
};

struct Step {
  StepKind kind;
  Refusal refusal;
  size_t consumed_bytes;
  size_t needed_bytes;
};

constexpr Step step_over(size_t bytes) { return {StepKind::command, Refusal::none, bytes, 0}; }
constexpr Step need(size_t bytes) { return {StepKind::need_more, Refusal::none, 0, bytes}; }
constexpr Step refuse(Refusal refusal) { return {StepKind::refused, refusal, 0, 0}; }

}  // namespace peal::protocol
