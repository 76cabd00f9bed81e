#include "server/monitor/monitor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <thread>
#include <utility>

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
    listener_ = socket.descriptor;
    if (listener_ >= 0) serve();
    auto started = stop_ < 0 ? std::nullopt : core::start_thread([this] { run(); });
    if (started) {
      thread_ = *std::move(started);
    } else {
      log.error("monitoring: no thread or descriptor is left for it; the server runs without it");
      http_.reset();
    }
  }

  ~Impl() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof one);
    if (thread_.joinable()) thread_.join();
    if (stop_ >= 0) ::close(stop_);
    if (listener_ >= 0) ::close(listener_);
  }

 private:
  void serve();
  void follow_certificate();
  std::optional<HttpsIdentity> identity() const;

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
  int listener_ = -1;
  std::optional<HttpsIdentity> served_as_;
  uint64_t served_settings_ = 0;
  std::optional<HttpServer> http_;
  std::thread thread_;
};

std::optional<HttpsIdentity> Monitor::Impl::identity() const {
  const TlsContext* const tls = context_.tls();
  if (context_.options().monitoring.https_port == 0 || tls == nullptr) return std::nullopt;
  return HttpsIdentity{tls->certificate_pem(), tls->private_key_pem(),
                       tls->options().minor_version_min >= 3};
}

// The library closes the socket that it was given; ours stays for the next certificate.
void Monitor::Impl::serve() {
  const Monitoring& chosen = context_.options().monitoring;
  served_as_ = identity();
  http_.reset();
  http_.emplace(
      ::fcntl(listener_, F_DUPFD_CLOEXEC, 0),
      HttpAccess{chosen.base_path, chosen.user, chosen.password, chosen.token}, served_as_,
      [this](const HttpRequest& request, Query& query) { return answer(request, query); });
  if (http_->running()) return;
  context_.log.error(
      "monitoring: the HTTP server could not be started; the server runs without it");
  http_.reset();
}

// A certificate that a reload has brought is shown to who comes from then on. Who is being answered
// at that moment asks again.
void Monitor::Impl::follow_certificate() {
  if (!served_as_ || served_settings_ == context_.state.settings.number()) return;
  served_settings_ = context_.state.settings.number();
  context_.follow_settings();
  if (const auto fresh = identity(); fresh && fresh != served_as_) serve();
}

void Monitor::Impl::run() {
  core::name_thread("peal-monitor");
  const core::CrashStack crash_stack;
  if (interval_ns_ > 0) totals_due_ns_ = Collector::monotonic_ns() + interval_ns_;
  for (;;) {
    std::array<pollfd, 2> watched{{{stop_, POLLIN, 0}, {-1, POLLIN, 0}}};
    if (http_) watched[1].fd = http_->descriptor();
    ::poll(watched.data(), watched.size(), wait_ms());
    if (watched[0].revents != 0) return;
    follow_certificate();
    if (http_) http_->run();
    if (Collector::monotonic_ns() >= totals_due_ns_) {
      totals_.log_line();
      totals_due_ns_ += interval_ns_;
    }
  }
}

int Monitor::Impl::wait_ms() {
  const int http_ms = http_ ? http_->wait_ms() : -1;
  if (totals_due_ns_ == INT64_MAX) return http_ms;
  const int64_t left_ns = std::max<int64_t>(0, totals_due_ns_ - Collector::monotonic_ns());
  const int totals_ms = static_cast<int>(std::min<int64_t>(left_ns / 1'000'000 + 1, 60'000));
  return http_ms < 0 ? totals_ms : std::min(http_ms, totals_ms);
}

Monitor::Monitor(ServerState& state, core::Log& log, MonitorSocket socket,
                 std::function<void(ShardId)> wake)
    : impl_(std::make_unique<Impl>(state, log, std::move(socket), std::move(wake))) {}
Monitor::~Monitor() = default;

}  // namespace peal::server::monitor
