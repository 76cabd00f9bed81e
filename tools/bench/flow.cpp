#include "tools/bench/flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tools/bench/clock.hpp"
#include "tools/bench/crew.hpp"
#include "tools/bench/flow_peers.hpp"
#include "tools/bench/progress.hpp"
#include "tools/bench/text.hpp"

namespace peal::bench {
namespace {

// From the plan to the first message, so that every thread is there when it is due.
constexpr int64_t lead_ns = 20 * millisecond_ns;
// How often the end is looked for. Seldom enough not to disturb what is measured: on two busy
// cores, a thread that woke every millisecond made 1 to 8 of 128 B five times as slow. When it
// ended is told by the threads' own clocks; the server's processor time has ticks of as much.
constexpr int64_t look_ns = 10 * millisecond_ns;
// When nothing more has come for so long, nothing will.
constexpr int64_t patience_ns = 5 * second_ns;
// For a stray duplicate to come behind the last message of a soak.
constexpr int64_t afterthought_ns = 300 * millisecond_ns;
// For publishers to come to the end of what they have half sent when a run is cut short.
constexpr int64_t grace_ns = 2 * second_ns;

// Fewer than this have a thread each, as nothing is faster; of more, a few threads have many each.
constexpr uint32_t own_threads_max = 16;
// Small next to a processor's cache, large next to the cost of a system call.
constexpr size_t block_bytes = 64 << 10;
constexpr size_t block_bytes_of_many = 16 << 10;

class Flow {
 public:
  Flow(const Options& options, const FlowPlan& plan, RunControl& control)
      : options_(options),
        plan_(plan),
        control_(control),
        subjects_(options),
        leaf_hearers_(plan.subscribes ? subjects_.hearers() : std::vector<uint32_t>()),
        publisher_plan_{.options = options,
                        .subjects = subjects_,
                        .leaf_hearers = leaf_hearers_,
                        .hearers = hearers(),
                        .payload = plan.payload,
                        .block_bytes = options.publishers > many_connections ? block_bytes_of_many
                                                                             : block_bytes},
        progress_(options) {}

  Result run() {
    if (auto error = open()) {
      control_.fail(*error);
    } else {
      result_.server = peers_.server;
      start_listening();
      if (plan_.publishes) {
        warm_up();
        measure(measured_phase());
      } else {
        only_listen();
      }
      stop_listening();
      gather();
    }
    result_.interrupted = RunControl::interrupted();
    for (std::string& failure : control_.failures()) result_.failures.push_back(failure);
    return std::move(result_);
  }

 private:
  /// What there was at one moment, so that two make a difference.
  struct Totals {
    uint64_t sent = 0;
    uint64_t deliveries = 0;
    uint64_t received = 0;
    uint64_t received_bytes = 0;
  };

  uint32_t hearers() const {
    if (!plan_.subscribes) return 0;
    return options_.pairs || !options_.queue.empty() ? 1 : options_.subscribers;
  }

  std::optional<std::string> open();

  void start_listening();
  void stop_listening();
  Phase phase_of(double duration_s) const;
  Phase measured_phase() const;
  void warm_up();
  void measure(const Phase& phase);
  void only_listen();

  void run_phase(const Phase& phase, bool measured);
  void wait_for_publishers(Crew& crew, const Phase& phase, bool measured);
  void wait_for_messages(bool measured);
  void look(const Phase& phase, bool measured);
  void nap(int64_t now);
  double done(const Phase& phase, int64_t now) const;

  void begin_measuring();
  void end_measuring(Crew* publishing, int64_t start_ns);
  void gather();
  void gather_soak();

  Totals totals() const;
  int64_t first_event_ns() const;
  int64_t last_event_ns() const;
  uint64_t missing() const {
    const Totals now = totals();
    return now.deliveries > now.received ? now.deliveries - now.received : 0;
  }

  const Options& options_;
  FlowPlan plan_;
  RunControl& control_;
  Subjects subjects_;
  std::vector<uint32_t> leaf_hearers_;
  PublisherPlan publisher_plan_;
  Progress progress_;

  FlowPeers peers_;
  std::atomic<bool> closing_{false};
  Crew listening_;

  Totals base_;
  std::optional<ProcessUse> server_before_;
  std::vector<ThreadUse> listening_before_;
  Result result_;
};

std::optional<std::string> Flow::open() {
  if (options_.server_pid != 0 && !use_of_process(options_.server_pid)) {
    return fmt::format("--pid: there is no process {} on this machine", options_.server_pid);
  }
  return peers_.open(options_, plan_, subjects_, publisher_plan_, control_);
}

void Flow::start_listening() {
  if (peers_.subscribers.empty()) return;
  const uint32_t threads = threads_for(uint32_t(peers_.subscribers.size()), options_);
  for (uint32_t thread = 0; thread < threads; thread++) {
    std::vector<Subscriber*> mine;
    for (size_t i = thread; i < peers_.subscribers.size(); i += threads) {
      mine.push_back(peers_.subscribers[i].get());
    }
    listening_.start(fmt::format("sub-{}", thread),
                     [this, mine] { listen(mine, control_, closing_); });
  }
}

void Flow::stop_listening() {
  closing_.store(true);
  for (const auto& subscriber : peers_.subscribers) subscriber->link().shut_down();
  listening_.join();
}

// With a pace, how long is how many: the last message has its due time too.
Phase Flow::phase_of(double duration_s) const {
  Phase phase;
  phase.burst = options_.burst;
  if (options_.rate > 0) {
    phase.interval_ns = options_.publishers * 1e9 / options_.rate;
    phase.messages = std::max<uint64_t>(1, uint64_t(options_.rate * duration_s));
  } else {
    phase.end_ns = int64_t(duration_s * 1e9);
  }
  return phase;
}

Phase Flow::measured_phase() const {
  Phase phase = phase_of(options_.duration_s);
  if (options_.messages > 0) {
    phase.messages = options_.messages;
    phase.end_ns = INT64_MAX;
  }
  return phase;
}

void Flow::warm_up() {
  if (options_.warmup_s <= 0) return;
  run_phase(phase_of(options_.warmup_s), false);
  for (const auto& subscriber : peers_.subscribers) subscriber->reset_latency_later();
}

void Flow::measure(const Phase& phase) {
  if (control_.stopping()) return;
  begin_measuring();
  run_phase(phase, true);
}

/// Publishes, and waits until all has come. Times of `phase` count from its start.
void Flow::run_phase(const Phase& all, bool measured) {
  Phase phase = all;
  phase.start_ns = now_ns() + lead_ns;
  if (all.end_ns != INT64_MAX) phase.end_ns = phase.start_ns + all.end_ns;
  const uint32_t count = uint32_t(peers_.publishers.size());
  for (uint32_t i = 0; i < count; i++) {
    Phase share = phase;
    if (all.messages != UINT64_MAX) {
      share.messages = all.messages / count + (i < all.messages % count ? 1 : 0);
    }
    // Paced publishers take turns.
    share.start_ns += int64_t(phase.interval_ns * phase.burst * i / count);
    peers_.publishers[i]->begin(share);
  }
  Crew publishing;
  const uint32_t threads = threads_for(count, options_);
  for (uint32_t thread = 0; thread < threads; thread++) {
    std::vector<Publisher*> mine;
    for (size_t i = thread; i < count; i += threads) mine.push_back(peers_.publishers[i].get());
    publishing.start(fmt::format("pub-{}", thread), [this, mine, start = phase.start_ns] {
      sleep_until(start);
      publish(mine, control_);
    });
  }
  wait_for_publishers(publishing, phase, measured);
  publishing.join();
  wait_for_messages(measured);
  if (measured) end_measuring(&publishing, phase.start_ns);
  progress_.clear();
}

void Flow::wait_for_publishers(Crew& crew, const Phase& phase, bool measured) {
  int64_t give_up_ns = INT64_MAX;
  while (crew.running() > 0) {
    const int64_t now = now_ns();
    look(phase, measured);
    if (control_.stopping() && give_up_ns == INT64_MAX) give_up_ns = now + grace_ns;
    if (now > give_up_ns) {
      for (const auto& publisher : peers_.publishers) publisher->link().shut_down();
    }
    nap(now);
  }
}

// The machine may stand still, and us with it: a figure from such a time is nobody's fault.
void Flow::nap(int64_t now) {
  sleep_until(now + look_ns);
  result_.overslept_ns = std::max(result_.overslept_ns, now_ns() - now - look_ns);
}

void Flow::wait_for_messages(bool measured) {
  Phase phase;
  int64_t progress_ns = now_ns();
  uint64_t last = totals().received;
  while (missing() > 0 && control_.failures().empty()) {
    const int64_t now = now_ns();
    const uint64_t received = totals().received;
    if (received != last) progress_ns = now;
    last = received;
    if (now > progress_ns + (RunControl::interrupted() ? grace_ns : patience_ns)) break;
    if (measured) look(phase, measured);
    nap(now);
  }
  if (measured && plan_.listening == Listening::check) sleep_until(now_ns() + afterthought_ns);
}

void Flow::look(const Phase& phase, bool measured) {
  const int64_t now = now_ns();
  const Totals totals_now = totals();
  const uint64_t sent = totals_now.sent - base_.sent;
  const uint64_t received = totals_now.received - base_.received;
  if (measured && phase.start_ns != 0 && now > phase.start_ns) {
    result_.timeline.note({seconds(now - phase.start_ns), sent, received});
  }
  progress_.show(measured ? done(phase, now) : -1, plan_.subscribes ? received : sent, now);
}

double Flow::done(const Phase& phase, int64_t now) const {
  if (phase.start_ns == 0) return 1;
  if (phase.end_ns != INT64_MAX) {
    return double(now - phase.start_ns) / double(phase.end_ns - phase.start_ns);
  }
  return double(totals().sent - base_.sent) / double(phase.messages);
}

void Flow::begin_measuring() {
  result_.overslept_ns = 0;
  base_ = totals();
  listening_before_ = listening_.use();
  if (options_.server_pid != 0) server_before_ = use_of_process(options_.server_pid);
}

void Flow::end_measuring(Crew* publishing, int64_t start_ns) {
  const int64_t end_ns = end_of(start_ns, last_event_ns());
  const Totals now = totals();
  result_.seconds = seconds(end_ns - start_ns);
  result_.published.messages = now.sent - base_.sent;
  const size_t message_bytes = header_block(options_.headers).size() + options_.size_bytes;
  result_.published.bytes = result_.published.messages * message_bytes;
  result_.received.messages = now.received - base_.received;
  result_.received.bytes = now.received_bytes - base_.received_bytes;
  result_.timeline.end({result_.seconds, result_.published.messages, result_.received.messages});
  if (server_before_) {
    if (const auto after = use_of_process(options_.server_pid)) {
      result_.server_use = ServerUse{.cpu_s = after->cpu_s - server_before_->cpu_s,
                                     .resident_before_bytes = server_before_->resident_bytes,
                                     .resident_after_bytes = after->resident_bytes};
    }
  }
  const std::vector<ThreadUse> listening = listening_.use();
  for (size_t i = 0; i < listening.size(); i++) {
    result_.generator.add(listening_before_[i], listening[i], result_.seconds);
  }
  if (publishing == nullptr) return;
  int64_t published_ns = start_ns + 1;
  for (const auto& publisher : peers_.publishers) {
    published_ns = std::max(published_ns, publisher->finished_ns());
  }
  for (const ThreadUse& use : publishing->use()) {
    result_.generator.add({}, use, seconds(published_ns - start_ns));
  }
}

// The clock starts with the first message: before it, there was nobody to be heard.
void Flow::only_listen() {
  const int64_t opened_ns = now_ns();
  const auto limit_ns = int64_t(options_.duration_s * 1e9);
  begin_measuring();
  Phase phase;
  while (!control_.stopping()) {
    const int64_t now = now_ns();
    const uint64_t received = totals().received;
    if (received > 0 && phase.start_ns == 0) {
      begin_measuring();
      base_ = Totals();
      phase.start_ns = first_event_ns();
    }
    if (options_.messages > 0 && received >= options_.messages) break;
    if (limit_ns > 0 && now >= opened_ns + limit_ns) break;
    const double share = options_.messages > 0 ? double(received) / double(options_.messages)
                         : limit_ns > 0        ? double(now - opened_ns) / double(limit_ns)
                                               : -1;
    if (phase.start_ns != 0) result_.timeline.note({seconds(now - phase.start_ns), 0, received});
    progress_.show(share, received, now);
    sleep_until(now + look_ns);
  }
  progress_.clear();
  end_measuring(nullptr, phase.start_ns == 0 ? opened_ns : phase.start_ns);
}

Flow::Totals Flow::totals() const {
  Totals totals;
  for (const auto& publisher : peers_.publishers) {
    totals.sent += publisher->sent();
    totals.deliveries += publisher->deliveries();
  }
  for (const auto& subscriber : peers_.subscribers) {
    totals.received += subscriber->messages();
    totals.received_bytes += subscriber->bytes();
  }
  return totals;
}

int64_t Flow::first_event_ns() const {
  int64_t first = INT64_MAX;
  for (const auto& subscriber : peers_.subscribers) {
    if (subscriber->messages() > 0) first = std::min(first, subscriber->first_ns());
  }
  return first;
}

int64_t Flow::last_event_ns() const {
  int64_t last = 0;
  for (const auto& publisher : peers_.publishers) last = std::max(last, publisher->finished_ns());
  for (const auto& subscriber : peers_.subscribers) last = std::max(last, subscriber->last_ns());
  return last;
}

void Flow::gather() {
  for (const auto& subscriber : peers_.subscribers) result_.latency.merge(subscriber->latency());
  for (const auto& publisher : peers_.publishers) result_.send_delay.merge(publisher->send_delay());
  if (plan_.listening == Listening::check) return gather_soak();
  if (!plan_.publishes || !plan_.subscribes || !control_.failures().empty()) return;
  const Totals now = totals();
  if (now.received < now.deliveries && !RunControl::interrupted()) {
    result_.failures.push_back(fmt::format("{} of {} messages never came",
                                           grouped(now.deliveries - now.received),
                                           grouped(now.deliveries)));
  }
  if (now.received > now.deliveries) {
    result_.notes.push_back(fmt::format(
        "{} messages came that we did not publish: is somebody else publishing on {}.>?",
        grouped(now.received - now.deliveries), options_.subject_prefix));
  }
}

void Flow::gather_soak() {
  StreamFaults faults;
  for (const auto& subscriber : peers_.subscribers) {
    StreamFaults here{.damaged = subscriber->damaged()};
    for (size_t stream = 0; stream < subscriber->streams().size(); stream++) {
      const bool heard = !options_.pairs || stream == subscriber->index();
      const uint64_t sent = heard ? peers_.publishers[stream]->sent() : 0;
      here += subscriber->streams()[stream].faults(sent);
    }
    // What came damaged did come, though its number cannot be told.
    here.lost -= std::min(here.lost, here.damaged);
    faults += here;
  }
  result_.faults = faults;
  if (!faults.any()) return;
  result_.failures.push_back(fmt::format("{} lost, {} duplicate, {} reordered, {} damaged",
                                         faults.lost, faults.duplicate, faults.reordered,
                                         faults.damaged));
}

}  // namespace

uint32_t threads_for(uint32_t connections, const Options& options) {
  if (options.threads > 0) return std::min(options.threads, connections);
  if (connections <= own_threads_max) return connections;
  return std::max(2u, std::thread::hardware_concurrency());
}

Result run_flow(const Options& options, const FlowPlan& plan, RunControl& control) {
  return Flow(options, plan, control).run();
}

}  // namespace peal::bench
