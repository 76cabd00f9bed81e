#include "core/unix_socket.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace peal::core {
namespace {

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = "/tmp/peal-unix-XXXXXX";
};

class Socket {
 public:
  explicit Socket(int type) : descriptor_(::socket(AF_UNIX, type, 0)) {}
  ~Socket() { ::close(descriptor_); }
  void bind(const std::string& path) const { REQUIRE(by(::bind, path)); }
  bool connect(const std::string& path) const { return by(::connect, path); }

 private:
  template <typename Call>
  bool by(Call how, const std::string& path) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return how(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  const int descriptor_;
};

/// Ends its listening with its life.
class Listener {
 public:
  explicit Listener(const UnixSocketConfig& config) {
    auto made = listen_unix(config);
    REQUIRE(std::holds_alternative<UnixListener>(made));
    listener_ = std::get<UnixListener>(std::move(made));
  }
  ~Listener() { ::close(listener_.descriptor); }

 private:
  UnixListener listener_{};
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

std::string refused(const UnixSocketConfig& config) {
  const auto made = listen_unix(config);
  REQUIRE(std::holds_alternative<std::string>(made));
  return std::get<std::string>(made);
}

std::string refusal(const std::string& path, std::string_view why) {
  return fmt::format("cannot listen on the Unix socket {}: {}", path, why);
}

TEST_CASE("unix socket: it has the mode that was asked for, and goes with its owner") {
  const Folder folder;
  const std::string path = folder.path("socket");
  const mode_t mask = ::umask(0077);
  {
    const Listener listener({.path = path, .mode = 0666});
    CHECK(mode_of(path) == 0666);
    CHECK(Socket(SOCK_STREAM).connect(path));
  }
  ::umask(mask);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("unix socket: an owner is named or numbered, and one whom nobody knows is refused") {
  const Folder folder;
  const std::string path = folder.path("socket");
  if (::getpwuid(::getuid()) != nullptr && ::getgrgid(::getgid()) != nullptr) {
    const Listener listener({.path = path, .owner = fmt::format("{}:{}", ::getuid(), ::getgid())});
  }
  CHECK(refused({.path = path, .owner = "no-such-user-here"}) ==
        refusal(path, "there is no user no-such-user-here"));
  CHECK(refused({.path = path, .owner = ":no-such-group-here"}) ==
        refusal(path, "there is no group no-such-group-here"));
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("unix socket: what a server left behind is replaced") {
  const Folder folder;
  const std::string path = folder.path("socket");
  Socket(SOCK_STREAM).bind(path);
  const Listener listener({.path = path});
  CHECK(Socket(SOCK_STREAM).connect(path));
}

TEST_CASE("unix socket: what is no socket stays") {
  const Folder folder;
  const std::string path = folder.path("file");
  std::ofstream(path) << "text";
  CHECK(refused({.path = path}) == refusal(path, "a file that is no socket is there"));
  CHECK(std::filesystem::is_regular_file(path));
}

TEST_CASE("unix socket: another's socket stays, though nobody can connect to it as we do") {
  const Folder folder;
  const std::string path = folder.path("socket");
  const Socket other(SOCK_DGRAM);
  other.bind(path);
  CHECK(refused({.path = path}) == refusal(path,
                                           "whether a server has it cannot be found out: "
                                           "Protocol wrong type for socket"));
  CHECK(Socket(SOCK_DGRAM).connect(path));
}

// The bug this keeps out: a server that runs loses its socket to one that has no descriptor left to
// find out about it.
TEST_CASE("unix socket: it is not removed by who has no descriptor left") {
  const Folder folder;
  const std::string path = folder.path("socket");
  const Listener listener({.path = path});
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit none{0, limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const std::string why = refused({.path = path});
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(why == refusal(path, "whether a server has it cannot be found out: Too many open files"));
  CHECK(Socket(SOCK_STREAM).connect(path));
}

// The bug this keeps out: a umask of the whole process for as long as the socket is made.
TEST_CASE("unix socket: files that other threads make meanwhile have their own mode") {
  const Folder folder;
  const std::string path = folder.path("socket");
  const mode_t mask = ::umask(0022);
  std::atomic<bool> done{false};
  std::thread listening([&] {
    for (int i = 0; i < 1000; i++) const Listener listener({.path = path});
    done = true;
  });
  const std::string other = folder.path("other");
  bool all_right = true;
  while (!done) {
    std::ofstream(other) << "text";
    all_right = all_right && mode_of(other) == 0644;
    std::filesystem::remove(other);
  }
  listening.join();
  ::umask(mask);
  CHECK(all_right);
}

}  // namespace
}  // namespace peal::core
