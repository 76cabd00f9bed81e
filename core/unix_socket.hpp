#pragma once
// A listening Unix domain socket, and the file that is its name. It knows paths, modes and owners;
// it must never know who connects.

#include <cstdint>
#include <string>
#include <variant>

namespace peal::core {

struct UnixSocketConfig {
  std::string path;
  uint32_t mode = 0660;    // Of the file: who may write to it may connect.
  std::string owner = {};  // "user", "user:group" or ":group"; empty: as it comes.
};

/// A file that goes with this object, unless somebody has put another one in its place.
class UnixSocketFile {
 public:
  UnixSocketFile() = default;
  UnixSocketFile(std::string path, uint64_t inode) : path_(std::move(path)), inode_(inode) {}
  UnixSocketFile(UnixSocketFile&& other) noexcept;
  UnixSocketFile& operator=(UnixSocketFile&& other) noexcept;
  ~UnixSocketFile();

 private:
  std::string path_;
  uint64_t inode_ = 0;
};

struct UnixListener {
  int descriptor;
  UnixSocketFile file;
};

/// A file that a server left behind that is no more is replaced. The error is one sentence with the
/// remedy.
std::variant<UnixListener, std::string> listen_unix(const UnixSocketConfig& config);

}  // namespace peal::core
