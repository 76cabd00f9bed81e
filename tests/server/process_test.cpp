#include "server/process.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "server/allowance.hpp"

namespace peal::server {
namespace {

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path(const std::string& name = "") const { return path_ + name; }
  void file(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  }

 private:
  std::string path_ = "/tmp/peal-process-XXXXXX";
};

std::string content(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// A process that does nothing until a signal ends it.
class Sleeper {
 public:
  Sleeper() {
    // Blocked until the child has let go of the handlers that doctest put in.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    id_ = ::fork();
    if (id_ == 0) {
      for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
        ::signal(signal, SIG_DFL);
      }
      ::sigemptyset(&all);
      ::sigprocmask(SIG_SETMASK, &all, nullptr);
      for (;;) ::pause();
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
  }
  std::string id() const { return fmt::format("{}", id_); }
  int ended_by() const {
    int status = 0;
    REQUIRE(::waitpid(id_, &status, 0) == id_);
    return WTERMSIG(status);
  }

 private:
  pid_t id_;
};

TEST_CASE("allowance: a quota of the second version, wherever above us it stands") {
  const Folder root;
  root.file("/proc/self/cgroup", "0::/a/b\n");
  CHECK(cpu_allowance(root.path()) == cpu_allowance());
  root.file("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  root.file("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  CHECK(cpu_allowance(root.path()) == 1);
  root.file("/sys/fs/cgroup/a/cpu.max", "5000 100000\n");
  CHECK(cpu_allowance(root.path()) == 1);
  root.file("/sys/fs/cgroup/a/cpu.max", "900000000 100000\n");
  CHECK(cpu_allowance(root.path()) == cpu_allowance());
}

TEST_CASE("allowance: a quota of the first version") {
  const Folder root;
  root.file("/proc/self/cgroup", "3:cpu,cpuacct:/box\n2:memory:/box\n");
  root.file("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "100000\n");
  root.file("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  CHECK(cpu_allowance(root.path()) == 1);
  root.file("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
  CHECK(cpu_allowance(root.path()) == cpu_allowance());
}

TEST_CASE("allowance: memory is the least that any group allows") {
  const Folder root;
  const uint64_t machine = memory_allowance_bytes(root.path());
  CHECK(machine > 0);
  root.file("/proc/self/cgroup", "2:memory:/box\n0::/a\n");
  root.file("/sys/fs/cgroup/a/memory.max", "max\n");
  root.file("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(memory_allowance_bytes(root.path()) == machine);
  root.file("/sys/fs/cgroup/memory.max", "1048576\n");  // A container sees its group at the root.
  CHECK(memory_allowance_bytes(root.path()) == 1048576);
  root.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
  CHECK(memory_allowance_bytes(root.path()) == 4096);
}

TEST_CASE("allowance: descriptors up to the hard limit") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(raise_descriptor_limit() == limit.rlim_max);
}

TEST_CASE("allowance: the kernel has room for as many descriptors as were reserved") {
  const auto room = [] {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      if (word == "FDSize:") return status >> word, std::stoul(word);
    }
    return 0ul;
  };
  const uint64_t wanted = 2 * room();
  REQUIRE(wanted <= raise_descriptor_limit());
  reserve_descriptors(wanted);
  CHECK(room() >= wanted);
  reserve_descriptors(1);
  reserve_descriptors(UINT64_MAX);  // More than there may be.
  CHECK(room() >= wanted);
}

TEST_CASE("process: a file appears whole and goes with its owner") {
  const Folder folder;
  const std::string path = folder.path("/pid");
  {
    auto written = write_process_file(path, pid_file_text(), pid_file_mode);
    REQUIRE(std::holds_alternative<core::OwnFile>(written));
    CHECK(content(path) == fmt::format("{}", ::getpid()));
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("process: a file that another server has put in its place stays") {
  const Folder folder;
  const std::string path = folder.path("/pid");
  {
    auto ours = write_process_file(path, "1", pid_file_mode);
    folder.file("/other", "2");
    std::filesystem::rename(folder.path("/other"), path);
  }
  CHECK(content(path) == "2");
}

// The bug this keeps out: to ask whose file a link leads to, and to remove the link.
TEST_CASE("process: a link to our file that somebody has put in its place stays") {
  const Folder folder;
  const std::string path = folder.path("/pid"), moved = folder.path("/moved");
  {
    const auto ours = write_process_file(path, "1", pid_file_mode);
    std::filesystem::rename(path, moved);
    std::filesystem::create_symlink(moved, path);
  }
  CHECK(std::filesystem::is_symlink(path));
}

TEST_CASE("process: what is no file of ours is written to, and stays what it is") {
  const Folder folder;
  const std::string link = folder.path("/link"), target = folder.path("/target");
  folder.file("/target", "a longer text");
  std::filesystem::create_symlink(target, link);
  {
    const auto written = write_process_file(link, "1", pid_file_mode);
    CHECK(std::holds_alternative<core::OwnFile>(written));
  }
  CHECK(std::filesystem::is_symlink(link));
  CHECK(content(target) == "1");
}

TEST_CASE("process: a file that cannot be written is refused in one sentence") {
  const auto written = write_process_file("/nonexistent/pid", "1", pid_file_mode);
  REQUIRE(std::holds_alternative<std::string>(written));
  CHECK(std::get<std::string>(written) == "/nonexistent/pid: No such file or directory");
}

TEST_CASE("process: the ports file names every address") {
  CHECK(ports_file_text(urls_of("nats", "127.0.0.1", 4222)) ==
        R"({"nats":["nats://127.0.0.1:4222"]})");
  CHECK(ports_file_text(urls_of("nats", "::1", 4222)) == R"({"nats":["nats://[::1]:4222"]})");
  CHECK(ports_file_text({"nats://a:1"}, {"http://a:2"}) ==
        R"({"nats":["nats://a:1"],"monitoring":["http://a:2"]})");
  const auto urls = urls_of("nats", "0.0.0.0", 4222);
  CHECK(std::find(urls.begin(), urls.end(), "nats://127.0.0.1:4222") != urls.end());
  CHECK(ports_file_name() == fmt::format("process_test_{}.ports", ::getpid()));
}

TEST_CASE("process: each signal's name sends what nats-server sends") {
  const std::pair<const char*, int> cases[] = {
      {"stop", SIGKILL}, {"quit", SIGINT},    {"term", SIGTERM},
      {"ldm", SIGUSR2},  {"reopen", SIGUSR1}, {"reload", SIGHUP},
  };
  for (const auto& expected : cases) {
    CAPTURE(expected.first);
    const Sleeper sleeper;
    CHECK_FALSE(send_signal(expected.first, sleeper.id()));
    CHECK(sleeper.ended_by() == expected.second);
  }
}

TEST_CASE("process: a target is an id, a pid file, many, or the only one") {
  const Folder folder;
  // A name of our own: this very test may run elsewhere on the machine.
  std::string name = fmt::format("peal{}", ::getpid());
  ::prctl(PR_SET_NAME, name.c_str());
  char* const name_before = std::exchange(program_invocation_short_name, name.data());
  {
    const Sleeper sleeper;
    folder.file("/pid", sleeper.id());
    CHECK_FALSE(send_signal("term", folder.path("/pid")));
    CHECK(sleeper.ended_by() == SIGTERM);
  }
  {
    const Sleeper sleeper;
    CHECK_FALSE(send_signal("term", ""));
    CHECK(sleeper.ended_by() == SIGTERM);
  }
  {
    const Sleeper one;
    const Sleeper other;
    CHECK(send_signal("term", "")->starts_with(fmt::format("more than one {} is running: ", name)));
    CHECK_FALSE(send_signal("term", "*"));
    CHECK(one.ended_by() == SIGTERM);
    CHECK(other.ended_by() == SIGTERM);
  }
  CHECK(send_signal("term", "") == fmt::format("no {} is running", name));
  CHECK(send_signal("term", folder.path("/none")) ==
        fmt::format("pid file {}: No such file or directory", folder.path("/none")));
  folder.file("/words", "twelve");
  CHECK(send_signal("term", folder.path("/words")) ==
        fmt::format("pid file {}: holds no process id", folder.path("/words")));
  program_invocation_short_name = name_before;
}

TEST_CASE("process: a signal becomes a wish of the thread that waits for one") {
  block_signals();
  const std::pair<int, Wish> cases[] = {
      {SIGINT, Wish::stop},        {SIGTERM, Wish::terminate}, {SIGUSR2, Wish::lame_duck},
      {SIGUSR1, Wish::reopen_log}, {SIGHUP, Wish::reload},
  };
  for (const auto& [signal, wish] : cases) {
    ::kill(::getpid(), signal);
    CHECK(await_wish().wish == wish);
  }
  std::thread(announce_server_stopped).join();
  CHECK(await_wish().wish == Wish::server_stopped);
}

}  // namespace
}  // namespace peal::server
