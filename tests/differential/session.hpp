#pragma once
// A session: what a few clients say to a server, in which order. A value, made by the generator
// from a seed, played by the player on any server, made smaller when servers disagree about it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace peal::differential {

struct Command {
  std::string bytes;
  uint32_t pongs = 0;  // That a server answers it with.
};

/// What one client says before all that have said something are asked for a PONG.
struct Step {
  size_t client = 0;
  std::vector<Command> commands;
  /// It may be anything, so no PONG can be counted upon: the client ends its side behind it, and
  /// the server's end is waited for. Only the last step of a session is.
  bool wild = false;
};

struct Session {
  uint64_t seed = 0;
  /// A token in its subjects and queue names that no other session has.
  std::string word;
  size_t clients = 0;
  std::vector<Step> steps;
};

/// Stands in a CONNECT for the three digits of the account that a session is played in: sessions
/// that are played at the same time have different ones.
inline constexpr char account_mark[] = "@@@";

}  // namespace peal::differential
