#include "server/server.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/crash_report.hpp"
#include "core/mesh.hpp"
#include "core/reactor.hpp"
#include "core/socket.hpp"
#include "core/thread.hpp"
#include "server/allowance.hpp"
#include "server/listening.hpp"
#include "server/monitor/monitor.hpp"
#include "server/server_id.hpp"
#include "server/server_state.hpp"
#include "server/shard.hpp"
#include "server/subject_aliases.hpp"
#include "server/version.hpp"

namespace peal::server {
namespace {

// Four receive caps: a mailbox that takes what a busy socket brings in a turn, and still has room
// while the other shard reads it.
constexpr uint32_t mailbox_bytes_default = 256 * 1024;
constexpr uint32_t control_mailbox_bytes = 64 * 1024;

// Whatever a control line may name has to fit half a mailbox, with its head and a message besides.
constexpr size_t control_lines_per_mailbox = 8;

size_t mailbox_bytes(const Options& options, uint32_t by_default) {
  const size_t wanted = options.mailbox_bytes != 0 ? options.mailbox_bytes : by_default;
  return std::max(wanted, options.limits.control_line_bytes_max * control_lines_per_mailbox);
}

// Rings as large as they are by default, or as the memory allows that this process may lock: a
// quarter of a shard's share for its queues, the rest for what the kernel adds to them and for its
// receive buffers.
core::ReactorConfig reactor_config(const Options& options, unsigned shards) {
  constexpr uint64_t submission_bytes = 64;
  constexpr uint64_t completion_bytes = 16;
  constexpr unsigned entries_min = 32;
  core::ReactorConfig config;
  config.features = options.kernel_feature_mask;
  const uint64_t share_bytes = locked_memory_allowance_bytes() / shards / 4;
  while (config.submission_entries > entries_min &&
         config.submission_entries * submission_bytes +
                 config.completion_entries * completion_bytes >
             share_bytes) {
    config.submission_entries /= 2;
    config.completion_entries /= 2;
  }
  return config;
}

constexpr std::string_view no_thread_left =
    "no thread left for this process: raise the limit (ulimit -u, or TasksMax= in the unit file) "
    "or use fewer --threads";

// Of what the process may have, a quarter is left to the kernel, the allocator and ourselves, who
// need so much at least; but clients get a quarter in any case.
uint64_t memory_budget_bytes(const Options& options) {
  constexpr uint64_t reserve_bytes = 32 << 20;
  if (options.memory_budget_bytes != 0) return options.memory_budget_bytes;
  const uint64_t allowed = memory_allowance_bytes();
  const uint64_t reserve = std::max(reserve_bytes, allowed / 4);
  return std::max(allowed / 4, allowed - std::min(allowed, reserve));
}

uint64_t random_seed() {
  uint64_t seed = 0;
  while (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
  }
  return seed;
}

// Where clients are to find us, as nats-server says it: what is advertised stands in place of the
// address that we listen on.
void advertise(const Options& options, uint16_t port, protocol::Info& info) {
  info.host = options.host;
  info.port = port;
  const auto advertised = read_advertised(options.client_advertise);
  if (options.client_advertise.empty() || !advertised) return;
  info.host = advertised->host;
  if (advertised->port > 0) info.port = static_cast<uint16_t>(advertised->port);
}

protocol::Info make_info(const Options& options, uint16_t port) {
  protocol::Info info;
  info.server_id = make_server_id();
  info.server_name = options.server_name.empty() ? info.server_id : options.server_name;
  info.version = nats_version;
  info.go = fmt::format("c++ {}", __VERSION__);
  advertise(options, port, info);
  info.headers = !options.no_header_support;
  info.max_payload = options.limits.payload_bytes_max;
  info.peal_version = version;
  info.framings = {std::string(protocol::text_framing), std::string(protocol::binary_framing)};
  info.subject_aliases = SubjectAliases::aliases_max;
  return info;
}

std::optional<std::string> read_certificates(const std::optional<TlsOptions>& options,
                                             std::shared_ptr<const TlsContext>& out) {
  if (!options) return {};
  auto made = TlsContext::make(*options);
  if (auto* const error = std::get_if<std::string>(&made)) return std::move(*error);
  out = std::get<0>(std::move(made));
  return {};
}

// Users, accounts and certificates, as the options have them. The error is one sentence.
std::optional<std::string> secure(Settings& settings, const Security* previous) {
  const WebSocketOptions& websocket = settings.options.websocket;
  SecurityOptions options = settings.options.security;
  options.certificates_mapped_elsewhere = websocket.tls && websocket.tls->verify_and_map;
  settings.security = Security::make(options, previous);
  if (settings.security->accounts() > accounts_max) {
    return fmt::format(
        "there have been {} accounts since the start, more than {}; restart to forget "
        "those that are gone",
        settings.security->accounts(), accounts_max);
  }
  // After the first, so that an account has one id in both.
  settings.websocket.security =
      Security::make(security_options_of(websocket, options), settings.security.get());
  settings.websocket.rules = std::make_shared<const UpgradeRules>(websocket);
  if (auto error = read_certificates(options.tls, settings.tls)) return error;
  return read_certificates(websocket.tls, settings.websocket.tls);
}

std::variant<monitor::MonitorSocket, std::string> listen_for_monitoring(const Options& options) {
  const Monitoring& chosen = options.monitoring;
  const bool is_secure = chosen.https_port != 0;
  const int port = is_secure ? chosen.https_port : chosen.port;
  if (port == 0) return monitor::MonitorSocket{};
  const std::string& host = chosen.host.empty() ? options.host : chosen.host;
  auto listening = core::listen_tcp(host, static_cast<uint16_t>(std::max(port, 0)),
                                    {.host = is_secure ? "the key https" : "the key http",
                                     .port = is_secure ? "--https_port" : "--http_port"});
  if (auto* error = std::get_if<std::string>(&listening)) return "monitoring: " + *error;
  const auto socket = std::get<core::ListeningSocket>(listening);
  return monitor::MonitorSocket{socket.descriptor, host, socket.port};
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Settings& settings, unsigned shards, core::Log& log, std::function<void()> on_stopped)
      : state(settings, shards),
        roll_call(shards),
        id(settings.info.server_id),
        name(settings.info.server_name),
        options_(settings.options),
        log_(log),
        on_stopped_(std::move(on_stopped)),
        mesh_(shards, mailbox_bytes(options_, mailbox_bytes_default),
              mailbox_bytes(options_, control_mailbox_bytes)),
        ready_(shards),
        done_(shards),
        reactors_(shards),
        errors_(shards),
        pinned_(options_.threads == 0 || options_.threads <= cpu_allowance()) {}

  ~Impl() {
    stop();
    wait();
  }

  std::optional<std::string> start();
  std::variant<Settings, std::string> settings_for(const Options& options);
  std::optional<std::string> reload(const Options& options);
  std::vector<RollCall::News> call_roll();
  void enter(Phase phase);
  void stop() { enter(Phase::stopping); }
  void wait();
  void watch(monitor::MonitorSocket socket);

  ServerState state;
  RollCall roll_call;
  const std::string id;
  const std::string name;
  std::vector<ListenAddress> addresses;
  std::vector<int> listeners;
  int websocket_listener = -1;
  ListenAddress websocket_address{"", 0};
  core::OwnFile unix_socket;
  ListenAddress monitoring_address{"", 0};

 private:
  void run_shard(unsigned index);
  void notify_all();
  std::vector<uint32_t> surplus_connections(uint32_t connections_max) const;

  const Options options_;  // As of the start.
  core::Log& log_;
  std::function<void()> on_stopped_;
  core::Mesh mesh_;
  std::latch ready_;
  std::latch go_{1};
  std::latch done_;
  std::atomic<bool> failed_{false};
  bool leaving_ = false;
  std::atomic<unsigned> finished_{0};
  std::vector<std::unique_ptr<core::Reactor>> reactors_;
  std::vector<std::string> errors_;
  const bool pinned_;
  std::vector<std::thread> threads_;
  std::unique_ptr<monitor::Monitor> monitor_;  // The last here: it asks all the others.
};

std::optional<std::string> Server::Impl::start() {
  const unsigned shards = mesh_.shards();
  for (unsigned index = 0; index < shards; index++) {
    auto started = core::start_thread([this, index] { run_shard(index); });
    if (started) {
      threads_.push_back(*std::move(started));
    } else {
      errors_[index] = no_thread_left;
      ready_.count_down();
    }
  }
  ready_.wait();
  const auto error = std::find_if(errors_.begin(), errors_.end(),
                                  [](const std::string& text) { return !text.empty(); });
  failed_ = error != errors_.end();
  go_.count_down();
  if (!failed_) return std::nullopt;
  wait();
  for (const int listener : listeners) ::close(listener);
  return *error;
}

// A shard is made on its own thread, so that its memory is near and its ring knows its owner. None
// of them runs before all are there, and none goes before all have stopped, because they wake each
// other.
void Server::Impl::run_shard(unsigned index) {
  core::name_thread(fmt::format("peal-shard-{}", index));
  const core::CrashStack crash_stack;
  const std::vector<int> processors = core::allowed_processors();
  if (pinned_ && index < processors.size()) core::pin_thread(processors[index]);

  auto made = core::Reactor::create(reactor_config(options_, mesh_.shards()));
  if (auto* error = std::get_if<std::string>(&made)) {
    errors_[index] = std::move(*error);
    ready_.count_down();
    return;
  }
  reactors_[index] = std::get<std::unique_ptr<core::Reactor>>(std::move(made));
  {
    Shard shard(static_cast<ShardId>(index), state, mesh_, *reactors_[index], log_, random_seed());
    ready_.count_down();
    go_.wait();
    if (!failed_) {
      if (index == 0) {
        for (const int listener : listeners) {
          shard.listen(listener, listener == websocket_listener ? Door::websocket : Door::plain);
        }
      }
      while (shard.tick()) {
      }
      done_.arrive_and_wait();
      shard.link().discard_inbound();
    }
  }
  if (finished_.fetch_add(1) + 1 == mesh_.shards() && !failed_ && on_stopped_) on_stopped_();
}

void Server::Impl::enter(Phase phase) {
  // Before any client hears of it: one that comes back at once must not be taken again.
  if (!failed_ && !std::exchange(leaving_, true)) {
    for (const int listener : listeners) ::shutdown(listener, SHUT_RD);
  }
  Phase before = state.phase.load();
  while (before < phase && !state.phase.compare_exchange_weak(before, phase)) {
  }
  notify_all();
}

std::vector<RollCall::News> Server::Impl::call_roll() {
  const int64_t now_ns = core::monotonic_ns();
  std::vector<uint64_t> answered;
  for (const auto& words : state.shard_words) {
    answered.push_back(words.answered.load(std::memory_order_relaxed));
  }
  std::vector<RollCall::News> news = roll_call.look(answered, now_ns);
  state.roll_call.store(roll_call.call(now_ns), std::memory_order_relaxed);
  notify_all();
  return news;
}

void Server::Impl::notify_all() {
  for (const auto& reactor : reactors_) {
    if (reactor) reactor->notify();
  }
}

// Whom we let go when fewer may stay: as many of each shard as its part of all is.
std::vector<uint32_t> Server::Impl::surplus_connections(uint32_t connections_max) const {
  const uint64_t all = state.open_connections();
  if (all <= connections_max) return {};
  std::vector<uint32_t> surplus;
  uint64_t before = 0;
  for (const auto& words : state.shard_words) {
    // Shares of a running sum, so that the parts add up to the whole.
    const uint64_t upto = before + words.open.load(std::memory_order_relaxed);
    const uint64_t excess = all - connections_max;
    surplus.push_back(static_cast<uint32_t>(upto * excess / all - before * excess / all));
    before = upto;
  }
  return surplus;
}

// What these options would bring into force, or in one sentence why they cannot be.
std::variant<Settings, std::string> Server::Impl::settings_for(const Options& options) {
  if (mesh_.shards() > 1 && mailbox_bytes(options, control_mailbox_bytes) >
                                mesh_.mailbox(core::Lane::control, 0, 1).capacity_bytes()) {
    return fmt::format("max_control_line cannot grow to {} without a restart",
                       options.limits.control_line_bytes_max);
  }
  Settings settings{.options = options,
                    .info = make_info(options, static_cast<uint16_t>(addresses.front().port)),
                    .surplus_connections = surplus_connections(options.limits.connections_max)};
  uint64_t number = 0;
  if (auto error = secure(settings, state.settings.take(number)->security.get())) {
    return *std::move(error);
  }
  settings.info.server_id = id;
  settings.info.server_name = name;
  settings.websocket.address = websocket_address;
  return settings;
}

std::optional<std::string> Server::Impl::reload(const Options& options) {
  auto settings = settings_for(options);
  if (auto* error = std::get_if<std::string>(&settings)) return std::move(*error);
  state.settings.publish(std::get<Settings>(std::move(settings)));
  notify_all();
  return {};
}

// After the start of the shards, which are to be asked.
void Server::Impl::watch(monitor::MonitorSocket socket) {
  monitoring_address = {socket.host, socket.port};
  monitor_ = std::make_unique<monitor::Monitor>(
      state, log_, std::move(socket), [this](ShardId shard) { reactors_[shard]->notify(); });
}

void Server::Impl::wait() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::variant<std::unique_ptr<Server>, std::string> Server::start(const Options& options,
                                                                 core::Log& log,
                                                                 std::function<void()> on_stopped) {
  const unsigned shards =
      options.threads != 0 ? options.threads : std::min(cpu_allowance(), threads_max);
  auto opened = open_listeners(options);
  if (auto* error = std::get_if<std::string>(&opened)) return std::move(*error);
  auto& listening = std::get<Listening>(opened);
  const auto port = static_cast<uint16_t>(listening.addresses.front().port);

  auto monitoring = listen_for_monitoring(options);
  if (auto* error = std::get_if<std::string>(&monitoring)) {
    for (const int descriptor : listening.descriptors) ::close(descriptor);
    return std::move(*error);
  }
  auto& watched = std::get<monitor::MonitorSocket>(monitoring);
  const bool is_watched = watched.descriptor >= 0 || options.stats_interval.count() > 0;

  Settings settings{.options = options, .info = make_info(options, port)};
  settings.websocket.address = listening.websocket_address;
  if (auto error = secure(settings, nullptr)) {
    for (const int descriptor : listening.descriptors) ::close(descriptor);
    if (watched.descriptor >= 0) ::close(watched.descriptor);
    return *std::move(error);
  }
  auto impl = std::make_unique<Impl>(settings, shards, log, std::move(on_stopped));
  impl->addresses = std::move(listening.addresses);
  impl->listeners = std::move(listening.descriptors);
  impl->unix_socket = std::move(listening.unix_socket);
  impl->websocket_listener = listening.websocket;
  impl->websocket_address = listening.websocket_address;
  impl->state.hash_seed = random_seed();
  impl->state.memory_budget_bytes = memory_budget_bytes(options);
  if (is_watched) impl->state.watch_slots = std::make_unique<WatchSlot[]>(shards);
  if (auto error = impl->start()) {
    if (watched.descriptor >= 0) ::close(watched.descriptor);
    return *std::move(error);
  }
  if (is_watched) impl->watch(std::move(watched));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

const std::vector<ListenAddress>& Server::addresses() const { return impl_->addresses; }
const ListenAddress& Server::websocket_address() const { return impl_->websocket_address; }
const ListenAddress& Server::monitoring_address() const { return impl_->monitoring_address; }
const std::string& Server::id() const { return impl_->id; }
const std::string& Server::name() const { return impl_->name; }
std::optional<std::string> Server::reload_refusal(const Options& options) const {
  auto settings = impl_->settings_for(options);
  if (auto* error = std::get_if<std::string>(&settings)) return std::move(*error);
  return {};
}
std::optional<std::string> Server::reload(const Options& options) { return impl_->reload(options); }
unsigned Server::shards() const { return static_cast<unsigned>(impl_->state.shard_words.size()); }
std::vector<RollCall::News> Server::call_roll() { return impl_->call_roll(); }
bool Server::is_alive() const { return impl_->roll_call.complete(); }
void Server::lame_duck() { impl_->enter(Phase::lame_duck); }
void Server::stop() { impl_->stop(); }
void Server::wait() { impl_->wait(); }

}  // namespace peal::server
