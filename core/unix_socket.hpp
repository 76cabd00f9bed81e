#pragma once
// A listening Unix domain socket, and the file that is its name. It knows paths, modes and owners;
// it must never know who connects.

#include <cstdint>
#include <string>
#include <variant>

#include "core/own_file.hpp"

namespace peal::core {

struct UnixSocketConfig {
  std::string path;
  uint32_t mode = 0660;    // Of the file: who may write to it may connect.
  std::string owner = {};  // As find_owner() has it; empty: as it comes.
};

struct UnixListener {
  int descriptor;
  OwnFile file;  // The socket's name.
};

/// A file that a server left behind that is no more is replaced. The error is one sentence with the
/// remedy.
std::variant<UnixListener, std::string> listen_unix(const UnixSocketConfig& config);

}  // namespace peal::core
