// Plain publish and subscribe through a Redis server, for perf/compare-peers: one publisher that
// sends blocks of PUBLISH commands and drops the answers, and subscribers that only count bytes,
// all of one length. What comes out is a report of peal-bench's format.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/clock.hpp"
#include "tools/bench/cpu_meter.hpp"
#include "tools/bench/crew.hpp"
#include "tools/bench/report_json.hpp"
#include "tools/bench/result.hpp"

namespace peal::perf {
namespace {

using namespace bench;

constexpr std::string_view channel = "bench.1000";
constexpr size_t block_bytes = 256 * 1024;
// As much as nats-server and Peal would let a subscriber be behind in these runs.
constexpr uint64_t behind_bytes_max = 256u << 20;

[[noreturn]] void fail(std::string_view error) {
  fmt::print(stderr, "redis_load: {}\n", error);
  std::exit(1);
}

int dial(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail(fmt::format("cannot connect to 127.0.0.1:{}", port));
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(size_t(sent));
  }
}

/// An array of texts, as commands and messages are.
std::string resp(std::initializer_list<std::string_view> parts) {
  std::string text = fmt::format("*{}\r\n", parts.size());
  for (const std::string_view part : parts) {
    text += fmt::format("${}\r\n{}\r\n", part.size(), part);
  }
  return text;
}

class Load {
 public:
  Load(uint16_t port, size_t size_bytes, uint32_t subscribers)
      : payload_(size_bytes, 'x'),
        one_(resp({"PUBLISH", channel, payload_})),
        delivered_(resp({"message", channel, payload_})),
        publisher_(dial(port)) {
    const std::string subscribe = resp({"SUBSCRIBE", channel});
    for (uint32_t i = 0; i < subscribers; i++) {
      subscribers_.push_back(dial(port));
      send_all(subscribers_.back(), subscribe);
      char answer[256];
      if (::recv(subscribers_.back(), answer, sizeof answer, 0) <= 0)
        fail("no answer to SUBSCRIBE");
    }
  }

  Result run(double run_s, uint32_t pid) {
    Result result;
    const auto before = use_of_process(pid);
    const int64_t start = now_ns();
    Crew crew;
    for (const int fd : subscribers_) crew.start("subscriber", [this, fd] { count(fd); });
    crew.start("answers", [this] { drop_answers(); });
    crew.start("publisher", [this, run_s, start] { publish(start + int64_t(run_s * 1e9)); });
    const auto expected = [&] {
      return published_.load() * delivered_.size() * subscribers_.size();
    };
    while (!published_all_.load() || received_bytes_.load() < expected()) {
      sleep_until(now_ns() + millisecond_ns * 10);
      if (now_ns() - start > int64_t((run_s + give_up_s) * 1e9)) {
        fail("not all messages came: the server dropped some");
      }
    }
    result.seconds = seconds(std::max(last_ns_.load(), published_ns_.load()) - start);
    for (const int fd : subscribers_) ::shutdown(fd, SHUT_RDWR);
    ::shutdown(publisher_, SHUT_RDWR);
    crew.join();
    for (const ThreadUse& use : crew.use()) result.generator.add({}, use, result.seconds);
    if (const auto after = use_of_process(pid); before && after) {
      result.server_use = ServerUse{.cpu_s = after->cpu_s - before->cpu_s,
                                    .resident_before_bytes = before->resident_bytes,
                                    .resident_after_bytes = after->resident_bytes};
    }
    const uint64_t received = received_bytes_.load() / delivered_.size();
    result.server = "redis";
    result.published = {published_.load(), published_.load() * payload_.size()};
    result.received = {received, received * payload_.size()};
    return result;
  }

 private:
  static constexpr double give_up_s = 20;

  void publish(int64_t until_ns) {
    const size_t in_block = std::max<size_t>(1, block_bytes / one_.size());
    std::string block;
    for (size_t i = 0; i < in_block; i++) block += one_;
    while (now_ns() < until_ns) {
      const uint64_t sent_bytes = published_.load() * delivered_.size() * subscribers_.size();
      if (sent_bytes > received_bytes_.load() + behind_bytes_max) {
        sleep_until(now_ns() + millisecond_ns / 10);
        continue;
      }
      send_all(publisher_, block);
      published_.fetch_add(in_block);
    }
    published_ns_.store(now_ns());
    published_all_.store(true);
  }

  void drop_answers() {
    std::vector<char> discarded(1 << 20);
    while (::recv(publisher_, discarded.data(), discarded.size(), MSG_TRUNC) > 0) {
    }
  }

  void count(int fd) {
    std::vector<char> discarded(4 << 20);
    for (;;) {
      const ssize_t got = ::recv(fd, discarded.data(), discarded.size(), MSG_TRUNC);
      if (got <= 0) return;
      received_bytes_.fetch_add(uint64_t(got));
      last_ns_.store(now_ns());
    }
  }

  const std::string payload_, one_, delivered_;
  const int publisher_;
  std::vector<int> subscribers_;
  std::atomic<uint64_t> published_{0}, received_bytes_{0};
  std::atomic<bool> published_all_{false};
  std::atomic<int64_t> published_ns_{0}, last_ns_{0};
};

}  // namespace
}  // namespace peal::perf

int main(int argc, char** argv) {
  using namespace peal;
  cxxopts::Options options("redis_load", "Publish and subscribe through a Redis server.");
  options.add_options()("port", "on 127.0.0.1", cxxopts::value<uint16_t>())(
      "size", "bytes of payload", cxxopts::value<size_t>()->default_value("128"))(
      "subs", "subscribers", cxxopts::value<uint32_t>()->default_value("1"))(
      "seconds", "how long to publish", cxxopts::value<double>()->default_value("2"))(
      "pid", "the server's process", cxxopts::value<uint32_t>()->default_value("0"));
  try {
    const auto given = options.parse(argc, argv);
    bench::Options described;
    described.size_bytes = given["size"].as<size_t>();
    described.subscribers = given["subs"].as<uint32_t>();
    described.duration_s = given["seconds"].as<double>();
    perf::Load load(given["port"].as<uint16_t>(), described.size_bytes, described.subscribers);
    const bench::Result result = load.run(described.duration_s, given["pid"].as<uint32_t>());
    fmt::print("{}\n", bench::json_of(described, result));
  } catch (const std::exception& error) {
    fmt::print(stderr, "redis_load: {}\n", error.what());
    return 2;
  }
}
