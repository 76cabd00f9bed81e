#include "core/unix_socket.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "core/error_text.hpp"
#include "core/socket.hpp"

namespace peal::core {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

bool somebody_listens(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  // EAGAIN: his queue of newcomers is full.
  return ::connect(probe.get(), name, sizeof address) == 0 || errno == EAGAIN;
}

std::optional<std::string> change_owner(const std::string& path, const std::string& owner) {
  if (owner.empty()) return {};
  const size_t colon = owner.find(':');
  const std::string user = owner.substr(0, colon);
  const std::string group = colon == owner.npos ? "" : owner.substr(colon + 1);
  auto user_id = static_cast<uid_t>(-1);
  auto group_id = static_cast<gid_t>(-1);
  if (!user.empty()) {
    const passwd* const entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return fmt::format("there is no user {}", user);
    user_id = entry->pw_uid;
  }
  if (!group.empty()) {
    const ::group* const entry = ::getgrnam(group.c_str());
    if (entry == nullptr) return fmt::format("there is no group {}", group);
    group_id = entry->gr_gid;
  }
  if (::chown(path.c_str(), user_id, group_id) == 0) return {};
  return fmt::format("it cannot be given to {}: {}", owner, error_text(errno));
}

std::string refusal(const std::string& path, std::string_view why) {
  return fmt::format("cannot listen on the Unix socket {}: {}", path, why);
}

}  // namespace

std::variant<UnixListener, std::string> listen_unix(const UnixSocketConfig& config) {
  const std::string& path = config.path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return refusal(path, fmt::format("a path has {} bytes at most", sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto give_up = std::chrono::steady_clock::now() + taken_patience;
  while (somebody_listens(address)) {
    if (std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(taken_pause);
      continue;
    }
    return refusal(path, "a server has it; stop that server, or choose another path");
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return refusal(path, "a file that is no socket is there");
    ::unlink(path.c_str());
  }

  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  // Nobody may connect before mode and owner are what they should be.
  const mode_t mask = ::umask(0777);
  const bool bound = ::bind(descriptor.get(), name, sizeof address) == 0;
  const int bind_error = errno;
  ::umask(mask);
  if (!bound) return refusal(path, error_text(bind_error));
  UnixSocketFile file(path, ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0);
  if (const auto error = change_owner(path, config.owner)) return refusal(path, *error);
  if (::chmod(path.c_str(), config.mode) != 0 || ::listen(descriptor.get(), listen_backlog) != 0) {
    return refusal(path, error_text(errno));
  }
  return UnixListener{descriptor.release(), std::move(file)};
}

UnixSocketFile::UnixSocketFile(UnixSocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), inode_(other.inode_) {}

UnixSocketFile& UnixSocketFile::operator=(UnixSocketFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(inode_, other.inode_);
  return *this;
}

UnixSocketFile::~UnixSocketFile() {
  struct stat status {};
  if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_ino == inode_) std::remove(path_.c_str());
}

}  // namespace peal::core
