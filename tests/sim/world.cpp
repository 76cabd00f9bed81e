#include "tests/sim/world.hpp"

#include <algorithm>

#include "tests/sim/reactor_sim.hpp"

namespace peal::sim {

namespace {
thread_local World* current_world = nullptr;
constexpr size_t first_descriptor = 3;
}  // namespace

World::World(uint64_t seed, const Faults& faults_)
    : chance(mix(seed)), faults(faults_), outer_(current_world) {
  // A clock that begins anywhere: whoever takes zero for "never" or subtracts before it is found.
  now_ = chance.between(sec, 100'000 * sec);
  descriptors_.resize(first_descriptor);
  current_world = this;
}

World::~World() { current_world = outer_; }

World& World::current() {
  if (current_world == nullptr) fail("harness", "no world on this thread");
  return *current_world;
}

World* World::current_or_null() { return current_world; }

void World::schedule(Time when, Actor& actor, uint32_t what, uint64_t argument) {
  events_.push_back({std::max(when, now_), next_order_++, &actor, argument, what});
  std::push_heap(events_.begin(), events_.end(), Later{});
}

bool World::run_next() {
  if (!late_failure_.empty()) fail(late_failure_kind_, late_failure_);
  if (events_.empty()) return false;
  std::pop_heap(events_.begin(), events_.end(), Later{});
  const Event event = events_.back();
  events_.pop_back();
  now_ = event.when;
  events_run_++;
  event.actor->run(event.what, event.argument);
  if (!late_failure_.empty()) fail(late_failure_kind_, late_failure_);
  return true;
}

// The threads of a server interleave at any instruction. Here they do at the calls of the seam,
// which lie between the steps of a turn and between one completion and the next.
void World::preempt() {
  if (!chance.percent(faults.preemption) || preempted_ >= 3) return;
  preempted_++;
  const bool for_long = chance.percent(5);
  const Time until = now_ + (for_long ? chance.skewed(0, 5 * ms) : delay() + delay());
  for (uint64_t n = chance.below(for_long ? 3000 : 100); n > 0; n--) {
    if (events_.empty() || events_.front().when > until || !run_next()) break;
  }
  preempted_--;
}

void World::leap(Time by) {
  now_ += by;
  leapt_ += by;
  trace.note(now_, Mark::leap, by / us);
  for (Event& event : events_) event.when += by;  // All alike, so their order stays.
  for (const auto& reactor : reactors_) reactor->on_leap(by);
}

Time World::delay() {
  return chance.between(0, chance.percent(faults.slow_step) ? faults.slow_max : faults.quick_max);
}

size_t World::lowest_free() {
  for (size_t i = first_descriptor; i < descriptors_.size(); i++) {
    if (descriptors_[i].free()) return i;
  }
  descriptors_.emplace_back();
  return descriptors_.size() - 1;
}

int World::listen(size_t backlog_max) {
  listeners_.push_back(std::make_unique<Listener>());
  listeners_.back()->backlog_max = backlog_max;
  const size_t at = lowest_free();
  descriptors_[at].listener = listeners_.back().get();
  return static_cast<int>(at);
}

int World::open(Link& link) {
  const size_t at = lowest_free();
  descriptors_[at].link = &link;
  link.descriptor = static_cast<int>(at);
  link.accepted_at = now_;
  return link.descriptor;
}

void World::close_descriptor(int descriptor) {
  Descriptor& entry = descriptors_[static_cast<size_t>(descriptor)];
  if (entry.link != nullptr) entry.link->server_close();
  if (entry.listener != nullptr) {
    for (Link* waiting : entry.listener->backlog) reset(*waiting, "the listener was closed");
    entry.listener->backlog.clear();
  }
  entry = {};
}

Link* World::link_of(int descriptor) {
  if (descriptor < 0 || static_cast<size_t>(descriptor) >= descriptors_.size()) return nullptr;
  return descriptors_[static_cast<size_t>(descriptor)].link;
}

Listener* World::listener_of(int descriptor) {
  if (descriptor < 0 || static_cast<size_t>(descriptor) >= descriptors_.size()) return nullptr;
  return descriptors_[static_cast<size_t>(descriptor)].listener;
}

size_t World::descriptors_open() const {
  size_t count = 0;
  for (const Descriptor& entry : descriptors_) count += entry.free() ? 0 : 1;
  return count;
}

void Listener::poke() const {
  for (const uint32_t op : accept_ops) reactor->poke(op);
}

Link* World::connect(int listener, LinkClient& client, size_t up_bytes, size_t down_bytes) {
  Listener* door = listener_of(listener);
  if (door == nullptr || door->backlog.size() >= door->backlog_max) return nullptr;
  links_.push_back(std::make_unique<Link>(*this, static_cast<uint32_t>(links_.size()), client,
                                          up_bytes, down_bytes));
  door->backlog.push_back(links_.back().get());
  door->poke();
  return links_.back().get();
}

void World::reset(Link& link, const char* by_whom) {
  if (link.was_reset) return;
  trace.note(now_, Mark::link_reset, link.id, link.descriptor, 0, 0, by_whom);
  link.was_reset = true;
  link.up.ended = true;
  link.down.ended = true;
  link.down.clear();
  // What had arrived before the reset is read by some kernels at some moments, and lost in others.
  if (chance.percent(50)) link.up.clear();
  link.wake_server();
  if (!link.client_gone) link.client.on_link_changed();
}

SimReactor& World::add_reactor(const core::ReactorConfig& config) {
  const int handle = static_cast<int>(reactors_.size());
  reactors_.push_back(std::make_unique<SimReactor>(*this, config, handle));
  return *reactors_.back();
}

SimReactor* World::reactor(int handle) {
  if (handle < 0 || static_cast<size_t>(handle) >= reactors_.size()) return nullptr;
  return reactors_[static_cast<size_t>(handle)].get();
}

void World::heal() {
  healed_ = true;
  const double preemption = faults.preemption;  // No fault, but how threads are.
  faults = Faults{};
  faults.preemption = preemption;
  descriptors_max = 1'000'000;
  for (const auto& link : links_) {
    link->reset_after_bytes = SIZE_MAX;
    link->up.widen(64 * 1024);
    link->down.widen(64 * 1024);
    if (!link->client_gone && !link->was_reset) link->client.on_link_changed();
    link->wake_server();
  }
  // Accepting may have stopped for want of descriptors.
  for (const auto& listener : listeners_) {
    listener->poke();
  }
}

void World::fail_later(std::string_view kind, std::string text) {
  if (!late_failure_.empty()) return;
  late_failure_kind_ = kind;
  late_failure_ = std::move(text);
}

void World::run(uint32_t, uint64_t argument) {
  Link& link = *links_[argument];
  if (!healed_ && !link.client_gone) reset(link, "the network");
}

}  // namespace peal::sim
