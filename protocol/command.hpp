#pragma once
// What a client can say, as a value that views the bytes it was said in. It knows the shape of each
// command; whether the command is allowed, and what it does, is the server's to know.

#include <cstdint>
#include <string_view>

namespace peal::protocol {

enum class CommandKind : uint8_t {
  pub,
  hpub,
  sub,
  unsub,
  ping,
  pong,
  connect,
  ignored,  // INFO and +OK: understood, and of no interest to a server.
};

constexpr bool publishes(CommandKind kind) {
  return kind == CommandKind::pub || kind == CommandKind::hpub;
}

/// One flat struct for all kinds, reused from command to command: only the fields that `kind` has
/// are written, the others hold what an earlier command left there. Views live as long as the input
/// that was parsed.
struct Command {
  CommandKind kind;
  std::string_view subject;   // PUB, HPUB, SUB.
  std::string_view reply;     // PUB, HPUB; empty when there is none.
  std::string_view queue;     // SUB; empty when there is none.
  std::string_view sid;       // SUB, UNSUB.
  std::string_view message;   // PUB, HPUB: headers, then payload. CR LF follows it, readable.
  uint32_t header_bytes = 0;  // PUB (where it is 0), HPUB.
  uint32_t max = 0;           // UNSUB: deliveries since SUB after which it ends; 0 is at once.
  std::string_view document;  // CONNECT: its JSON.
};

}  // namespace peal::protocol
