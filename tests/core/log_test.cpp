#include "core/log.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {
std::atomic<int> lookups{0};
}

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  lookups++;
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, __func__));
  return real(node, service, hints, found);
}

namespace peal::core {
namespace {

/// A folder of this test's own, gone with it.
class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() {
    for (const std::string& file : files_) std::remove(file.c_str());
    ::rmdir(path_.c_str());
  }
  std::string file(const std::string& name) {
    files_.push_back(path_ + "/" + name);
    return files_.back();
  }

 private:
  std::string path_ = "/tmp/peal-log-XXXXXX";
  std::vector<std::string> files_;
};

std::string content(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<std::string> lines(const std::string& file) {
  std::istringstream stream(content(file));
  std::vector<std::string> out;
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

std::unique_ptr<Log> open(const LogConfig& config) {
  auto opened = Log::open(config);
  REQUIRE(std::holds_alternative<std::unique_ptr<Log>>(opened));
  return std::get<std::unique_ptr<Log>>(std::move(opened));
}

LogConfig bare(const std::string& file) {
  LogConfig config;
  config.file = file;
  config.time = false;
  return config;
}

/// A socket on a port of this machine that was free.
class Receiver {
 public:
  explicit Receiver(int type) : descriptor_(::socket(AF_INET, type, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address_;
    auto* const name = reinterpret_cast<sockaddr*>(&address_);
    REQUIRE(::bind(descriptor_, name, bytes) == 0);
    REQUIRE(::getsockname(descriptor_, name, &bytes) == 0);
  }
  ~Receiver() { ::close(descriptor_); }
  int descriptor() const { return descriptor_; }
  uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  const int descriptor_;
  sockaddr_in address_{};
};

std::string received(int descriptor) {
  char text[512];
  const ssize_t bytes = ::recv(descriptor, text, sizeof text, 0);
  REQUIRE(bytes > 0);
  return {text, static_cast<size_t>(bytes)};
}

std::string pid() { return fmt::format("[{}] ", ::getpid()); }

TEST_CASE("log: a text is printable when it is one line and speaks to no terminal") {
  CHECK(printable("plain, \"quoted\" \\ caf\xc3\xa9") == "plain, \"quoted\" \\ caf\xc3\xa9");
  CHECK(printable(std::string_view("a\nb\x1b[2J\0\x7f", 9)) == "a\\x0ab\\x1b[2J\\x00\\x7f");
}

TEST_CASE("log: a line has process, time to the microsecond, level and text") {
  Folder folder;
  const std::string file = folder.file("log");
  LogConfig config;
  config.file = file;
  {
    const auto log = open(config);
    log->info("Listening on {}:{}", "0.0.0.0", 4222);
  }
  const std::regex form(
      R"(\[\d+\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Listening on 0\.0\.0\.0:4222\n)");
  CHECK(std::regex_match(content(file), form));
}

TEST_CASE("log: without the time when it is not wanted") {
  Folder folder;
  const std::string file = folder.file("log");
  {
    const auto log = open(bare(file));
    log->warning("careful");
  }
  CHECK(content(file) == pid() + "[WRN] careful\n");
}

TEST_CASE("log: debug and trace are each off until asked for") {
  Folder folder;
  const std::string file = folder.file("log");
  LogConfig config = bare(file);
  config.trace = true;
  const auto log = open(config);
  CHECK_FALSE(log->enabled(Level::debug));
  CHECK(log->enabled(Level::trace));
  log->debug("unheard");
  log->trace("heard");
  config.debug = true;
  config.trace = false;
  REQUIRE(log->reconfigure(config) == std::nullopt);
  log->debug("heard too");
  log->trace("unheard");
  log->error("e");
  log->fatal("f");
  log->flush();
  CHECK(content(file) == pid() + "[TRC] heard\n" + pid() + "[DBG] heard too\n" + pid() +
                             "[ERR] e\n" + pid() + "[FTL] f\n");
}

TEST_CASE("log: nobody can forge a line with what he calls himself") {
  Folder folder;
  const std::string file = folder.file("log");
  {
    const auto log = open(bare(file));
    log->info("name={}", "a\n[1] [FTL] b\r\x1b[31m\x7f");
  }
  CHECK(content(file) == pid() + "[INF] name=a\\x0a[1] [FTL] b\\x0d\\x1b[31m\\x7f\n");
}

TEST_CASE("log: a text that is too long is cut, and shows it") {
  Folder folder;
  const std::string file = folder.file("log");
  {
    const auto log = open(bare(file));
    log->info("{}", std::string(Log::text_bytes_max, 'x'));
    log->info("{}", std::string(Log::text_bytes_max + 1, 'x'));
  }
  const auto written = lines(file);
  REQUIRE(written.size() == 2);
  CHECK(written[0].ends_with("[INF] " + std::string(Log::text_bytes_max, 'x')));
  CHECK(written[1].ends_with("[INF] " + std::string(Log::text_bytes_max - 3, 'x') + "..."));
}

// Goal: each thread's lines stay in its order, and what is missing was counted.
// Method: four threads log without a pause, far more than the queue holds.
TEST_CASE("log: many threads, and every line is written or counted as lost") {
  Folder folder;
  const std::string file = folder.file("log");
  constexpr int threads = 4;
  constexpr int lines_each = 20'000;
  uint64_t lost = 0;
  {
    const auto log = open(bare(file));
    std::vector<std::thread> writers;
    for (int id = 0; id < threads; id++) {
      writers.emplace_back([&log, id] {
        for (int i = 0; i < lines_each; i++) log->info("thread={} line={}", id, i);
      });
    }
    for (std::thread& writer : writers) writer.join();
    log->flush_and_stop();
    lost = log->lines_lost();
  }
  int written = 0;
  int last[threads] = {-1, -1, -1, -1};
  for (const std::string& line : lines(file)) {
    int id = 0;
    int number = 0;
    const size_t at = line.find("thread=");
    if (at == line.npos) continue;  // The report of lost lines.
    REQUIRE(std::sscanf(line.c_str() + at, "thread=%d line=%d", &id, &number) == 2);
    REQUIRE(number > last[id]);
    last[id] = number;
    written++;
  }
  CHECK(static_cast<uint64_t>(written) + lost == threads * lines_each);
}

// Goal: whoever logs is never held up, and learns afterwards what is missing.
// Method: the file is a pipe that nobody reads until the queue has overflowed.
TEST_CASE("log: a reader that stands still costs lines, not time, and the log says how many") {
  Folder folder;
  const std::string file = folder.file("pipe");
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  const int reader = ::open(file.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  auto log = open(bare(file));
  for (size_t i = 0; i < 4 * Log::lines_max; i++) log->info("{}", std::string(500, 'x'));
  CHECK(log->lines_lost() > 0);

  ::fcntl(reader, F_SETFL, 0);
  std::thread end([&log] { log.reset(); });
  std::string seen;
  char bytes[4096];
  for (ssize_t count; (count = ::read(reader, bytes, sizeof bytes)) > 0;) {
    seen.append(bytes, static_cast<size_t>(count));
  }
  end.join();
  ::close(reader);
  CHECK(seen.find("[WRN] log lines lost: ") != seen.npos);
}

// Method: the writer stands before a full pipe, so that the queue only fills.
TEST_CASE("log: chatter leaves room for what matters") {
  Folder folder;
  const std::string file = folder.file("pipe");
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  const int reader = ::open(file.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  LogConfig config = bare(file);
  config.debug = true;
  const auto log = open(config);
  for (size_t i = 0; i < 4 * Log::lines_max; i++) log->debug("{}", std::string(900, 'x'));
  const uint64_t lost = log->lines_lost();
  CHECK(lost > 0);
  for (size_t i = 0; i < Log::lines_max / 8; i++) log->error("a fact");
  CHECK(log->lines_lost() == lost);
  ::close(reader);  // The writer gets EPIPE, and gives up on its lines.
}

TEST_CASE("log: opened anew, it goes on under its old name") {
  Folder folder;
  const std::string file = folder.file("log");
  const std::string rotated = folder.file("log.1");
  const auto log = open(bare(file));
  log->info("before");
  log->flush();
  REQUIRE(std::rename(file.c_str(), rotated.c_str()) == 0);
  log->reopen();
  log->info("after");
  log->flush();
  CHECK(content(rotated) == pid() + "[INF] before\n");
  CHECK(content(file) == pid() + "[INF] log file opened anew\n" + pid() + "[INF] after\n");
}

TEST_CASE("log: a new configuration holds for what is logged after it, and only for that") {
  Folder folder;
  const std::string first = folder.file("first");
  const std::string second = folder.file("second");
  const auto log = open(bare(first));
  for (int i = 0; i < 100; i++) log->info("before");
  LogConfig config = bare(second);
  config.json = true;
  REQUIRE(log->reconfigure(config) == std::nullopt);
  log->info("after");
  log->flush();
  CHECK(lines(first) == std::vector<std::string>(100, pid() + "[INF] before"));
  CHECK(content(second) ==
        fmt::format("{{\"level\":\"info\",\"pid\":{},\"message\":\"after\"}}\n", ::getpid()));

  config.file = "/nonexistent/log";
  CHECK(log->reconfigure(config) == "log file /nonexistent/log: No such file or directory");
  log->info("still here");
  log->flush();
  CHECK(lines(second).size() == 2);
}

TEST_CASE("log: a file that is large enough gets a suffix, and so many are kept") {
  Folder folder;
  const std::string file = folder.file("log");
  LogConfig config = bare(file);
  config.file_bytes_max = 100;
  config.files_max = 3;
  const auto log = open(config);
  for (int i = 0; i < 20; i++) {
    log->info("sixty letters and more, so that two of them are too many: {}", i);
    log->flush();
  }
  log->flush_and_stop();
  size_t files = 0;
  const std::filesystem::path path = file;
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path())) {
    const std::string name = entry.path().filename();
    const std::regex suffix(R"(log(\.\d{4}(\.\d\d){5}\.\d{9})?)");
    CHECK(std::regex_match(name, suffix));
    files++;
    if (entry.path() != path) folder.file(name);
  }
  CHECK(files == 3);
  CHECK(content(file).find("Rotated log, backup saved as") != std::string::npos);
}

TEST_CASE("log: JSON has one object a line, whatever a client calls himself") {
  Folder folder;
  const std::string file = folder.file("log");
  LogConfig config = bare(file);
  config.json = true;
  config.time = true;
  const auto log = open(config);
  log->warning("{}", "a \"name\" \\ of\n\x7f\xff");
  log->flush();
  const std::regex line(
      "\\{\"time\":\"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z\","
      "\"level\":\"warning\",\"pid\":\\d+,\"message\":(.*)\\}\n");
  std::smatch parts;
  const std::string text = content(file);
  REQUIRE(std::regex_match(text, parts, line));
  CHECK(parts[1] == "\"a \\\"name\\\" \\\\ of\\u000a\\u007f\\u00ff\"");
}

TEST_CASE("log: another machine's syslog gets a datagram for each line") {
  const Receiver syslog(SOCK_DGRAM);
  LogConfig config;
  config.remote_syslog = fmt::format("udp://127.0.0.1:{}", syslog.port());
  const auto log = open(config);
  log->info("first");
  log->error("second");
  for (const char* expected : {"<29>.*: \\[INF\\] first", "<27>.*: \\[ERR\\] second"}) {
    CHECK(std::regex_match(received(syslog.descriptor()), std::regex(expected)));
  }
}

// The bug this keeps out: a reload of certificates that is refused because the folder of the log
// has become unwritable, or its syslog does not answer.
TEST_CASE("log: what it writes to is opened anew only when that changes") {
  Folder folder;
  const std::string file = folder.file("log");
  const std::string moved = folder.file("moved");
  LogConfig config = bare(file);
  const auto log = open(config);
  REQUIRE(std::rename(file.c_str(), moved.c_str()) == 0);
  CHECK(log->reconfigure(config) == std::nullopt);
  config.json = true;
  config.debug = true;
  CHECK(log->reconfigure(config) == std::nullopt);
  log->debug("here");
  log->flush();
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(content(moved) ==
        fmt::format("{{\"level\":\"debug\",\"pid\":{},\"message\":\"here\"}}\n", ::getpid()));
  config.file_bytes_max = 1 << 20;
  CHECK(log->reconfigure(config) == std::nullopt);
  CHECK(std::filesystem::exists(file));
}

// The bug this keeps out: the log's thread waits for a resolver that does not answer.
TEST_CASE("log: a syslog that was started anew is connected to without a look at its name") {
  const Receiver syslog(SOCK_STREAM);
  REQUIRE(::listen(syslog.descriptor(), 1) == 0);
  LogConfig config;
  config.remote_syslog = fmt::format("tcp://127.0.0.1:{}", syslog.port());
  const auto log = open(config);
  const int lookups_before = lookups.load();
  const linger reset{1, 0};
  const int first = ::accept(syslog.descriptor(), nullptr, nullptr);
  REQUIRE(::setsockopt(first, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
  ::close(first);
  log->info("again");
  const int second = ::accept(syslog.descriptor(), nullptr, nullptr);
  CHECK(std::regex_match(received(second), std::regex("<29>.*: \\[INF\\] again\n")));
  CHECK(lookups.load() == lookups_before);
  ::close(second);
}

// The bug this keeps out: a writer that looks for lines, then for the order to stop, and misses the
// line in between.
TEST_CASE("log: what was logged just before the end is written") {
  Folder folder;
  const std::string file = folder.file("log");
  constexpr size_t rounds = 500;
  for (size_t i = 0; i < rounds; i++) {
    const auto log = open(bare(file));
    log->info("last words");
  }
  CHECK(lines(file).size() == rounds);
}

TEST_CASE("log: a file that cannot be opened is refused in one sentence") {
  const auto opened = Log::open(bare("/nonexistent/log"));
  REQUIRE(std::holds_alternative<std::string>(opened));
  CHECK(std::get<std::string>(opened) == "log file /nonexistent/log: No such file or directory");
}

TEST_CASE("log: what is logged after the end is lost, and harms nobody") {
  Folder folder;
  const auto log = open(bare(folder.file("log")));
  log->flush_and_stop();
  for (size_t i = 0; i < 2 * Log::lines_max; i++) log->info("late");
  log->flush();
  log->flush_and_stop();
}

}  // namespace
}  // namespace peal::core
