// connections: many that do nothing, many that come and go, or all of them at once. Latency here is
// from the first SYN, or from when the connection was due, to the server's answer to its first
// PING.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "tools/bench/clock.hpp"
#include "tools/bench/crew.hpp"
#include "tools/bench/link.hpp"
#include "tools/bench/progress.hpp"
#include "tools/bench/receive_loop.hpp"
#include "tools/bench/runs.hpp"

namespace peal::bench {
namespace {

// INFO fits; a connection that idles needs no more.
constexpr size_t receive_bytes = 1 << 10;
// How many dial at once, when nobody says otherwise: enough that it is the server who is busy.
constexpr uint32_t default_dialers = 8;
// Seldom, for the reason that flow.cpp gives.
constexpr int64_t look_ns = 10 * millisecond_ns;
// How far churn may fall behind before it is given up.
constexpr int64_t behind_max_ns = 10 * second_ns;
// For the server's memory to come to rest before it is measured.
constexpr int64_t settle_ns = second_ns / 2;

/// A connection that answers PINGs and hears nothing else.
class Idler {
 public:
  explicit Idler(Link link) : link_(std::move(link)) {}
  Link& link() { return link_; }
  Received receive(int flags) {
    const Received received = link_.replies().receive(link_.fd(), flags, [](const auto&) {});
    return link_.answer_pings() ? received : Received::closed;
  }
  void on_quiet() {}

 private:
  Link link_;
};

class Connections {
 public:
  Connections(const Options& options, RunControl& control)
      : options_(options), control_(control), progress_(options) {}

  Result run() {
    auto resolved = resolve(options_.servers, options_.tls);
    if (auto* error = std::get_if<std::string>(&resolved)) {
      control_.fail(*error);
    } else {
      servers_ = std::get<std::vector<Server>>(std::move(resolved));
      name_server();
    }
    if (!control_.stopping()) measure();
    progress_.clear();
    result_.interrupted = RunControl::interrupted();
    result_.failures = control_.failures();
    return std::move(result_);
  }

 private:
  void name_server();
  void measure();
  void open_all(uint32_t count);
  void hold();
  void churn();
  void end_opening(const Crew& crew, int64_t start);
  void dial_one(uint64_t number, int64_t due_ns, bool keep);
  uint32_t dialers() const { return options_.threads > 0 ? options_.threads : default_dialers; }

  const Options& options_;
  RunControl& control_;
  Progress progress_;
  std::vector<Server> servers_;
  std::mutex mutex_;  // Over the next two.
  std::vector<std::unique_ptr<Idler>> idlers_;
  Result result_;
  std::atomic<uint64_t> opened_{0};
  std::atomic<int64_t> last_ns_{0};  // When the last one was.
};

void Connections::name_server() {
  auto link = dial(servers_[0], receive_bytes);
  if (auto* error = std::get_if<std::string>(&link)) return control_.fail(*error);
  result_.server = shown_server(std::get<Link>(link).replies().info());
}

void Connections::measure() {
  const auto before = use_of_process(options_.server_pid);
  if (options_.server_pid != 0 && !before) {
    return control_.fail(
        fmt::format("--pid: there is no process {} on this machine", options_.server_pid));
  }
  result_.connections.emplace();
  if (options_.churn > 0) {
    churn();
  } else {
    open_all(std::max(options_.idle, options_.storm));
    if (options_.storm > 0 && !control_.stopping()) {
      // All at once, as when a server or a switch restarts, and back as fast as it goes.
      idlers_.clear();
      result_.latency = Histogram();
      result_.timeline = Timeline();
      opened_.store(0);
      open_all(options_.storm);
    }
  }
  result_.connections->opened = opened_.load();
  if (options_.churn == 0) sleep_until(now_ns() + settle_ns);
  const auto after = use_of_process(options_.server_pid);
  if (before && after) {
    result_.server_use = ServerUse{.cpu_s = after->cpu_s - before->cpu_s,
                                   .resident_before_bytes = before->resident_bytes,
                                   .resident_after_bytes = after->resident_bytes};
  }
  if (options_.idle > 0 && !control_.stopping()) hold();
}

void Connections::open_all(uint32_t count) {
  const int64_t start = now_ns();
  std::atomic<uint64_t> next{0};
  Crew crew;
  for (uint32_t i = 0; i < dialers(); i++) {
    crew.start(fmt::format("dial-{}", i), [&] {
      for (uint64_t number; (number = next.fetch_add(1)) < count;) {
        if (control_.stopping()) return;
        dial_one(number, now_ns(), true);
      }
    });
  }
  while (crew.running() > 0) {
    const int64_t now = now_ns();
    result_.timeline.note({seconds(now - start), opened_.load(), opened_.load()});
    progress_.show(double(opened_.load()) / count, opened_.load(), now);
    sleep_until(now + look_ns);
  }
  crew.join();
  end_opening(crew, start);
}

void Connections::dial_one(uint64_t number, int64_t due_ns, bool keep) {
  auto dialled = dial(servers_[number % servers_.size()], receive_bytes);
  std::string error;
  if (auto* refusal = std::get_if<std::string>(&dialled)) {
    error = *refusal;
  } else if (keep) {
    auto& link = std::get<Link>(dialled);
    std::string lines;
    for (uint32_t i = 0; i < options_.subscriptions; i++) {
      lines += fmt::format("SUB {}.idle.{}.{} {}\r\n", options_.subject_prefix, number, i, i + 1);
    }
    if (!link.send_all(lines)) {
      error = link.why_gone();
    } else if (auto refused = link.barrier()) {
      error = *refused;
    }
  }
  const int64_t now = now_ns();
  const std::lock_guard lock(mutex_);
  if (!error.empty()) {
    result_.connections->failed++;
    return control_.fail(fmt::format("connection {}: {}", number, error));
  }
  opened_.fetch_add(1);
  last_ns_.store(now);
  result_.latency.record(now - due_ns);
  if (keep) idlers_.push_back(std::make_unique<Idler>(std::get<Link>(std::move(dialled))));
}

void Connections::churn() {
  const int64_t start = now_ns() + 20 * millisecond_ns;
  const uint64_t count =
      options_.messages > 0 ? options_.messages
                            : std::max<uint64_t>(1, uint64_t(options_.churn * options_.duration_s));
  std::atomic<uint64_t> next{0};
  Crew crew;
  for (uint32_t i = 0; i < dialers(); i++) {
    crew.start(fmt::format("dial-{}", i), [&] {
      for (uint64_t number; (number = next.fetch_add(1)) < count;) {
        const int64_t due = start + int64_t(double(number) * 1e9 / options_.churn);
        sleep_until(due);
        if (control_.stopping()) return;
        if (now_ns() > due + behind_max_ns) {
          return control_.fail(
              fmt::format("connection {} is {} s late: {} a second are too many for the server, or "
                          "for {} threads",
                          number, behind_max_ns / second_ns, options_.churn, dialers()));
        }
        dial_one(number, due, false);
      }
    });
  }
  while (crew.running() > 0) {
    const int64_t now = now_ns();
    if (now > start) {
      result_.timeline.note({seconds(now - start), opened_.load(), opened_.load()});
    }
    progress_.show(double(opened_.load()) / double(count), opened_.load(), now);
    sleep_until(now + look_ns);
  }
  crew.join();
  end_opening(crew, start);
}

void Connections::end_opening(const Crew& crew, int64_t start) {
  result_.seconds = result_.connections->open_s = seconds(end_of(start, last_ns_.load()) - start);
  result_.timeline.end({result_.seconds, opened_.load(), opened_.load()});
  for (const ThreadUse& use : crew.use()) result_.generator.add({}, use, result_.seconds);
}

// Whoever is dropped while it idles has found a fault.
void Connections::hold() {
  const int64_t end = now_ns() + int64_t(options_.duration_s * 1e9);
  std::atomic<bool> closing{false};
  std::vector<Idler*> all;
  for (const auto& idler : idlers_) all.push_back(idler.get());
  if (all.empty()) return;
  Crew crew;
  crew.start("hold", [&] {
    receive_on_all(all, [&](Idler& idler) {
      if (closing.load()) return;
      const std::string& error = idler.link().replies().error();
      control_.fail(fmt::format("an idle connection was closed by the server: {}",
                                error.empty() ? "it did not say why" : error));
    });
  });
  while (now_ns() < end && !control_.stopping()) sleep_until(now_ns() + 20 * millisecond_ns);
  closing.store(true);
  for (Idler* idler : all) idler->link().shut_down();
  crew.join();
}

}  // namespace

Result run_connections(const Options& options, RunControl& control) {
  return Connections(options, control).run();
}

}  // namespace peal::bench
