// request, service and reqreply: a closed loop. Requesters wait for replies, so a slow server is
// asked less; for what a server does under a load that does not wait, there is latency.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tools/bench/clock.hpp"
#include "tools/bench/crew.hpp"
#include "tools/bench/flow.hpp"
#include "tools/bench/progress.hpp"
#include "tools/bench/receive_loop.hpp"
#include "tools/bench/requester.hpp"
#include "tools/bench/responder.hpp"
#include "tools/bench/runs.hpp"

namespace peal::bench {
namespace {

constexpr size_t receive_bytes = 32 << 10;
constexpr int64_t lead_ns = 20 * millisecond_ns;
// Seldom, for the reason that flow.cpp gives.
constexpr int64_t look_ns = 10 * millisecond_ns;

class Requests {
 public:
  Requests(const Options& options, RunControl& control)
      : options_(options), control_(control), progress_(options) {}

  Result run() {
    if (auto error = open()) {
      control_.fail(*error);
    } else {
      start_responding();
      if (requesters_.empty()) {
        respond_only();
      } else {
        request();
      }
      closing_.store(true);
      for (const auto& responder : responders_) responder->link().shut_down();
      responding_.join();
    }
    progress_.clear();
    result_.interrupted = RunControl::interrupted();
    result_.failures = control_.failures();
    return std::move(result_);
  }

 private:
  template <typename Peer>
  std::optional<std::string> open_peers(const std::vector<Server>& servers, uint32_t count,
                                        std::vector<std::unique_ptr<Peer>>& out) {
    for (uint32_t i = 0; i < count && !control_.stopping(); i++) {
      auto link = dial(servers[i % servers.size()], receive_bytes);
      if (auto* error = std::get_if<std::string>(&link)) return *error;
      if (auto error = check_payload(std::get<Link>(link), options_.size_bytes)) return error;
      out.push_back(std::make_unique<Peer>(std::get<Link>(std::move(link)), options_, i));
      if (auto error = out.back()->subscribe()) return error;
    }
    return {};
  }

  std::optional<std::string> open();
  void start_responding();
  void respond_only();
  void request();
  void fail(const Requester& requester);
  void wait_for_replies(const Crew& crew, int64_t measure_ns, int64_t until_ns);
  void measure_use(const Crew& requesting, bool begin);
  int64_t first_answer_ns() const {
    int64_t first = INT64_MAX;
    for (const auto& responder : responders_) {
      if (responder->answered() > 0) first = std::min(first, responder->first_ns());
    }
    return first;
  }
  uint64_t replies() const {
    uint64_t sum = 0;
    for (const auto& requester : requesters_) sum += requester->replies();
    return sum;
  }

  const Options& options_;
  RunControl& control_;
  Progress progress_;
  std::vector<std::unique_ptr<Requester>> requesters_;
  std::vector<std::unique_ptr<Responder>> responders_;
  std::atomic<bool> closing_{false};
  Crew responding_;
  std::vector<ThreadUse> used_before_;
  std::optional<ProcessUse> server_before_;
  Result result_;
};

std::optional<std::string> Requests::open() {
  auto resolved = resolve(options_.servers, options_.tls, options_.binary);
  if (auto* error = std::get_if<std::string>(&resolved)) return *error;
  const auto& servers = std::get<std::vector<Server>>(resolved);
  const bool responds = options_.command != Command::request;
  const bool requests = options_.command != Command::service;
  if (auto error = open_peers(servers, responds ? options_.subscribers : 0, responders_)) {
    return error;
  }
  if (auto error = open_peers(servers, requests ? options_.publishers : 0, requesters_)) {
    return error;
  }
  if (control_.stopping()) return "interrupted";
  result_.server =
      shown_server((requests ? requesters_[0]->link() : responders_[0]->link()).replies().info());
  return {};
}

void Requests::start_responding() {
  if (responders_.empty()) return;
  const uint32_t threads = threads_for(uint32_t(responders_.size()), options_);
  for (uint32_t thread = 0; thread < threads; thread++) {
    std::vector<Responder*> mine;
    for (size_t i = thread; i < responders_.size(); i += threads) {
      mine.push_back(responders_[i].get());
    }
    responding_.start(fmt::format("service-{}", thread), [this, mine] {
      receive_on_all(mine, [this](Responder& responder) {
        if (closing_.load()) return;
        control_.fail(
            fmt::format("responder {}: {}", responder.index(), responder.link().why_gone()));
      });
    });
  }
}

void Requests::request() {
  const int64_t start_ns = now_ns() + lead_ns;
  const int64_t measure_ns = start_ns + int64_t(options_.warmup_s * 1e9);
  const int64_t end_ns =
      options_.duration_s > 0 ? measure_ns + int64_t(options_.duration_s * 1e9) : INT64_MAX;
  const size_t count = requesters_.size();
  Crew requesting;
  const uint32_t threads = threads_for(uint32_t(count), options_);
  for (uint32_t thread = 0; thread < threads; thread++) {
    std::vector<Requester*> mine;
    for (size_t i = thread; i < count; i += threads) mine.push_back(requesters_[i].get());
    requesting.start(fmt::format("request-{}", thread), [=, this] {
      sleep_until(start_ns);
      for (Requester* requester : mine) {
        const uint64_t share =
            options_.messages / count + (requester->index() < options_.messages % count ? 1 : 0);
        if (!requester->begin(measure_ns, end_ns, options_.messages > 0 ? share : UINT64_MAX)) {
          return fail(*requester);
        }
      }
      receive_on_all(mine, [this](Requester& requester) {
        if (requester.is_done() || control_.stopping()) return;
        fail(requester);
      });
    });
  }
  wait_for_replies(requesting, measure_ns, measure_ns);
  measure_use(requesting, true);
  wait_for_replies(requesting, measure_ns, INT64_MAX);
  requesting.join();

  int64_t last_ns = 0;
  for (const auto& requester : requesters_) {
    result_.latency.merge(requester->latency());
    result_.received.bytes += requester->reply_bytes();
    last_ns = std::max(last_ns, requester->last_ns());
  }
  // A run that ended while it warmed up has measured nothing.
  const int64_t end_measured_ns = std::max(measure_ns, end_of(measure_ns, last_ns));
  result_.seconds = seconds(end_measured_ns - measure_ns);
  result_.received.messages = replies();
  // Closed loop: what had a reply was sent.
  result_.published = {replies(), replies() * options_.size_bytes};
  result_.timeline.end({result_.seconds, replies(), replies()});
  measure_use(requesting, false);
}

void Requests::fail(const Requester& requester) {
  control_.fail(fmt::format("requester {}: {}", requester.index(), requester.error()));
}

void Requests::wait_for_replies(const Crew& crew, int64_t measure_ns, int64_t until_ns) {
  int64_t now = now_ns();
  while (crew.running() > 0 && now < until_ns) {
    if (control_.stopping()) {
      for (const auto& requester : requesters_) requester->link().shut_down();
    }
    const uint64_t count = replies();
    const double elapsed_s = seconds(now - measure_ns);
    if (elapsed_s > 0) result_.timeline.note({elapsed_s, count, count});
    progress_.show(options_.messages > 0 ? double(count) / double(options_.messages)
                                         : elapsed_s / options_.duration_s,
                   count, now);
    sleep_until(std::min(now + look_ns, until_ns));
    now = now_ns();
  }
}

// The threads of both sides, and the server.
void Requests::measure_use(const Crew& requesting, bool begin) {
  std::vector<ThreadUse> use = requesting.use();
  for (const ThreadUse& responder : responding_.use()) use.push_back(responder);
  if (begin) {
    used_before_ = std::move(use);
    if (options_.server_pid != 0) server_before_ = use_of_process(options_.server_pid);
    return;
  }
  for (size_t i = 0; i < use.size(); i++) {
    result_.generator.add(used_before_[i], use[i], result_.seconds);
  }
  if (!server_before_) return;
  if (const auto after = use_of_process(options_.server_pid)) {
    result_.server_use = ServerUse{.cpu_s = after->cpu_s - server_before_->cpu_s,
                                   .resident_before_bytes = server_before_->resident_bytes,
                                   .resident_after_bytes = after->resident_bytes};
  }
}

void Requests::respond_only() {
  const int64_t opened_ns = now_ns();
  int64_t first_ns = 0;
  const Crew nobody;
  measure_use(nobody, true);
  uint64_t answered = 0;
  while (!control_.stopping()) {
    const int64_t now = now_ns();
    answered = 0;
    for (const auto& responder : responders_) answered += responder->answered();
    if (answered > 0 && first_ns == 0) first_ns = first_answer_ns();
    if (first_ns != 0) result_.timeline.note({seconds(now - first_ns), answered, answered});
    progress_.show(-1, answered, now);
    if (options_.messages > 0 && answered >= options_.messages) break;
    if (options_.duration_s > 0 && seconds(now - opened_ns) >= options_.duration_s) break;
    sleep_until(now + look_ns);
  }
  int64_t last_ns = 0;
  for (const auto& responder : responders_) {
    result_.received.bytes += responder->request_bytes();
    last_ns = std::max(last_ns, responder->last_ns());
  }
  const int64_t begin_ns = first_ns == 0 ? opened_ns : first_ns;
  result_.seconds = seconds(end_of(begin_ns, last_ns) - begin_ns);
  result_.received.messages = answered;
  result_.published = {answered, answered * options_.size_bytes};
  result_.timeline.end({result_.seconds, answered, answered});
  measure_use(nobody, false);
}

}  // namespace

Result run_requests(const Options& options, RunControl& control) {
  return Requests(options, control).run();
}

}  // namespace peal::bench
