// What the process gives up stays given up. In a child, because there is no way back.
#include "server/privileges.hpp"

#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <thread>

namespace peal::server {
namespace {

constexpr int skipped = 77;

template <typename Work>
int status_of_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("privileges: no program is started any more, by any thread") {
  const int status = status_of_child([] {
    if (!forbid_system_calls()) return skipped;
    const auto refused = [] {
      char* const arguments[] = {const_cast<char*>("true"), nullptr};
      return ::execv("/bin/true", arguments) == -1 && errno == EPERM;
    };
    if (!refused()) return 1;
    bool in_thread = false;
    std::thread([&] { in_thread = refused(); }).join();
    if (!in_thread) return 2;
    return ::setuid(::getuid()) == -1 && errno == EPERM ? 0 : 3;
  });
  if (status == skipped) {
    std::printf("skipped: built without libseccomp, or the kernel has no filters\n");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("privileges: threads begin, and no process") {
  const int status = status_of_child([] {
    if (!forbid_system_calls()) return skipped;
    if (::fork() != -1 || errno != EPERM) return 1;
    bool ran = false;
    std::thread([&] { ran = true; }).join();
    return ran ? 0 : 2;
  });
  if (status == skipped) {
    std::printf("skipped: built without libseccomp, or the kernel has no filters\n");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("privileges: nothing is mounted any more, by the old calls or the new") {
  const int status = status_of_child([] {
    if (!forbid_system_calls()) return skipped;
    const auto refused = [](long call) {
      return ::syscall(call, -1, nullptr, 0, 0, 0) == -1 && errno == EPERM;
    };
    return refused(SYS_mount) && refused(SYS_fsopen) && refused(SYS_open_tree) &&
                   refused(SYS_move_mount) && refused(SYS_pidfd_getfd) && refused(SYS_setfsuid)
               ? 0
               : 1;
  });
  if (status == skipped) {
    std::printf("skipped: built without libseccomp, or the kernel has no filters\n");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("privileges: another user, for good") {
  if (::geteuid() != 0) {
    std::printf("skipped: only root can become another user\n");
    CHECK(become_user("nobody"));
    return;
  }
  CHECK(status_of_child([] {
          if (become_user("nobody")) return 1;
          return ::geteuid() != 0 && ::getuid() != 0 && ::setuid(0) != 0 ? 0 : 2;
        }) == 0);
}

TEST_CASE("privileges: who is nobody, or root, is refused by name") {
  CHECK(become_user("no-such-user-here")->find("no-such-user-here") != std::string::npos);
  CHECK(become_user("nobody:no-such-group-here")->find("no-such-group-here") != std::string::npos);
  CHECK(become_user("root")->find("root") != std::string::npos);
  CHECK(become_user("0"));
  CHECK(become_user(""));
}

}  // namespace
}  // namespace peal::server
