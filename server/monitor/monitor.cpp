#include "server/monitor/monitor.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "core/clock.hpp"
#include "core/crash_report.hpp"
#include "core/thread.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/monitor/http_server.hpp"
#include "server/monitor/totals.hpp"

namespace peal::server::monitor {

class Monitor::Impl {
 public:
  Impl(ServerState& state, core::Log& log, MonitorSocket socket, std::function<void(ShardId)> wake)
      : collector_(state, std::move(wake)),
        context_(state, collector_, log, socket.host, socket.port),
        totals_(context_),
        interval_ns_(context_.options().stats_interval.count()),
        stop_(eventfd(0, EFD_CLOEXEC)) {
    const bool can_run = stop_ >= 0 && collector_.running();
    if (socket.descriptor >= 0 && can_run) serve(socket.descriptor);
    auto started = can_run ? core::start_thread([this] { run(); }) : std::nullopt;
    if (started) {
      thread_ = *std::move(started);
    } else {
      log.error("monitoring: no thread or descriptor is left for it; the server runs without it");
      http_.reset();
      if (socket.descriptor >= 0 && !can_run) ::close(socket.descriptor);
    }
  }

  ~Impl() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof one);
    if (thread_.joinable()) thread_.join();
    if (stop_ >= 0) ::close(stop_);
  }

 private:
  void serve(int listener);

  Response answer(const HttpRequest& request, Query& query) {
    if (request.path == "/tracez") return answer_trace(request, query);
    if (request.method != "GET" && request.method != "HEAD") {
      return refusal(405, "monitoring only answers GET and HEAD\n");
    }
    return monitor::answer(context_, request.path, query);
  }

  // A page in somebody's browser may send a POST to any address that the browser reaches.
  Response answer_trace(const HttpRequest& request, Query& query) {
    if (request.method != "POST") return refusal(405, "POST switches a trace on\n");
    if (!request.local || request.from_page) {
      return refusal(403, "a trace is switched on from this machine, and by no page\n");
    }
    Response response = tracez(context_, query);
    return query.error().empty() ? std::move(response) : refusal(400, query.error() + "\n");
  }

  void run();
  int wait_ms();

  Collector collector_;
  Context context_;
  Totals totals_;
  const int64_t interval_ns_;
  int64_t totals_due_ns_ = INT64_MAX;
  const int stop_;
  std::optional<HttpServer> http_;
  std::thread thread_;
};

void Monitor::Impl::serve(int listener) {
  const Monitoring& chosen = context_.options().monitoring;
  HttpConnections::Certificates certificates;
  if (chosen.https_port != 0) {
    // What a reload has brought is shown to the next who comes.
    certificates = [this] {
      context_.follow_settings();
      return context_.tls();
    };
  }
  http_.emplace(
      listener, stop_, HttpAccess{chosen.base_path, chosen.user, chosen.password, chosen.token},
      std::move(certificates),
      [this](const HttpRequest& request, Query& query) { return answer(request, query); });
  if (http_->running()) return;
  context_.log.error(
      "monitoring: the HTTP server could not be started; the server runs without it");
  http_.reset();
}

void Monitor::Impl::run() {
  core::name_thread("peal-monitor");
  const core::CrashStack crash_stack;
  if (interval_ns_ > 0) totals_due_ns_ = core::monotonic_ns() + interval_ns_;
  for (;;) {
    if (http_) http_->run(wait_ms());
    pollfd stop{stop_, POLLIN, 0};
    ::poll(&stop, 1, http_ ? 0 : wait_ms());
    if (stop.revents != 0) return;
    if (core::monotonic_ns() >= totals_due_ns_) {
      totals_.log_line();
      totals_due_ns_ += interval_ns_;
    }
  }
}

int Monitor::Impl::wait_ms() {
  if (totals_due_ns_ == INT64_MAX) return -1;
  const int64_t left_ns = std::max<int64_t>(0, totals_due_ns_ - core::monotonic_ns());
  return static_cast<int>(std::min<int64_t>(left_ns / core::millisecond_ns + 1, 60'000));
}

Monitor::Monitor(ServerState& state, core::Log& log, MonitorSocket socket,
                 std::function<void(ShardId)> wake)
    : impl_(std::make_unique<Impl>(state, log, std::move(socket), std::move(wake))) {}
Monitor::~Monitor() = default;

}  // namespace peal::server::monitor
