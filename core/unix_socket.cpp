#include "core/unix_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "core/error_text.hpp"
#include "core/owner.hpp"
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

/// Zero if somebody listens there, or why the kernel does not connect to it.
int knock(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  if (probe.get() >= 0 && ::connect(probe.get(), name, sizeof address) == 0) return 0;
  return errno == EAGAIN ? 0 : errno;  // EAGAIN: his queue of newcomers is full.
}

/// Removes what a server left behind that is no more. Why that cannot be.
std::optional<std::string> make_way(const sockaddr_un& address) {
  const auto give_up = std::chrono::steady_clock::now() + taken_patience;
  int error = 0;
  while ((error = knock(address)) == 0) {
    if (std::chrono::steady_clock::now() >= give_up) {
      return "a server has it; stop that server, or choose another path";
    }
    std::this_thread::sleep_for(taken_pause);
  }
  if (error == ENOENT) return {};
  if (error != ECONNREFUSED) {
    return fmt::format("whether a server has it cannot be found out: {}", error_text(error));
  }
  struct stat status {};
  if (::stat(address.sun_path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
    return "a file that is no socket is there";
  }
  if (::unlink(address.sun_path) == 0 || errno == ENOENT) return {};
  return fmt::format("what is there cannot be removed: {}", error_text(errno));
}

std::optional<std::string> change_owner(const std::string& path, const std::string& text) {
  if (text.empty()) return {};
  const auto found = find_owner(text);
  if (const auto* error = std::get_if<std::string>(&found)) return *error;
  const auto& owner = std::get<Owner>(found);
  const uid_t user = owner.user ? owner.user->id : static_cast<uid_t>(-1);
  if (::chown(path.c_str(), user, owner.group.value_or(static_cast<gid_t>(-1))) == 0) return {};
  return fmt::format("it cannot be given to {}: {}", text, error_text(errno));
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
  if (const auto why = make_way(address)) return refusal(path, *why);

  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(descriptor.get(), name, sizeof address) != 0) return refusal(path, error_text(errno));
  // Nobody can connect before we listen, and by then mode and owner are what they should be.
  struct stat status {};
  OwnFile file(path, ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0);
  if (const auto error = change_owner(path, config.owner)) return refusal(path, *error);
  if (::chmod(path.c_str(), config.mode) != 0 || ::listen(descriptor.get(), listen_backlog) != 0) {
    return refusal(path, error_text(errno));
  }
  return UnixListener{descriptor.release(), std::move(file)};
}

}  // namespace peal::core
