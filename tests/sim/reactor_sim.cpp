#include "tests/sim/reactor_sim.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>

namespace peal::sim {

using core::Completion;
using core::OpKind;
using core::Token;

namespace {

constexpr size_t parts_max = 16;

std::string text_of(Token token) {
  return "token {kind " + std::to_string(static_cast<int>(token.kind)) + ", slot " +
         std::to_string(token.slot) + ", generation " + std::to_string(token.generation) + "}";
}

[[noreturn]] void misuse(const std::string& text) { World::fail("seam", text); }

}  // namespace

SimReactor::SimReactor(World& world, const core::ReactorConfig& config, int handle)
    : world_(world),
      config_(config),
      handle_(handle),
      now_ns_(world.now()),
      pool_(world.kernel.receive_buffers, world.kernel.receive_buffer_bytes),
      holds_(world.kernel.receive_buffers) {}

// ---- Asking.

Link& SimReactor::link_of(int descriptor, const char* use) {
  Link* link = world_.link_of(descriptor);
  if (link == nullptr) {
    misuse(std::string(use) + " of " + std::to_string(descriptor) + ", which is no connection");
  }
  return *link;
}

uint32_t SimReactor::start(OpKind use, int descriptor, Token token) {
  if (token.kind == OpKind{0} || token.pack() != Token::unpack(token.pack()).pack()) {
    misuse("an operation without a kind");
  }
  for (const Op& op : ops_) {
    const bool is_same = op.state != State::none && op.token.pack() == token.pack();
    if (is_same && use != OpKind::accept) {  // Of those there may be several.
      misuse("a second operation with the " + text_of(token) + " of one in flight");
    }
  }
  if (free_ops_.empty()) {
    free_ops_.push_back(static_cast<uint32_t>(ops_.size()));
    ops_.emplace_back();
  }
  const uint32_t index = free_ops_.back();
  free_ops_.pop_back();
  Op& op = ops_[index];
  const uint32_t generation = op.generation + 1;
  op = Op{};
  op.generation = generation;
  op.state = State::asked;
  op.use = use;
  op.descriptor = descriptor;
  op.token = token;
  submissions_.push_back({Submission::Kind::start, index, token, 0});
  return index;
}

void SimReactor::accept(int listener, Token token) {
  Listener* door = world_.listener_of(listener);
  if (door == nullptr) misuse("accept on what is no listener");
  const uint32_t index = start(OpKind::accept, listener, token);
  ops_[index].listener = door;
  if (door->reactor != this) door->accept_ops.clear();  // Its former one has gone.
  door->reactor = this;
  door->accept_ops.push_back(index);
}

void SimReactor::recv(int descriptor, Token token) {
  preempt();
  Link& link = link_of(descriptor, "recv");
  if (link.recv_op != no_op) misuse("recv with recv in flight, " + text_of(token));
  const uint32_t index = start(OpKind::recv, descriptor, token);
  ops_[index].link = &link;
  link.recv_reactor = this;
  link.recv_op = index;
}

void SimReactor::recv_once(int descriptor, Token token) {
  recv(descriptor, token);
  ops_[link_of(descriptor, "recv_once").recv_op].once = true;
}

void SimReactor::send(int descriptor, std::span<const iovec> parts, Token token) {
  preempt();
  Link& link = link_of(descriptor, "send");
  if (link.send_op != no_op) misuse("send with send in flight, " + text_of(token));
  if (parts.size() > parts_max) misuse("send of more parts than reactor_uring has room for");
  if (on_loan_ && send_at_once(link, parts, token)) return;
  const uint32_t index = start(OpKind::send, descriptor, token);
  Op& op = ops_[index];
  op.link = &link;
  op.parts.assign(parts.begin(), parts.end());
  for (const iovec& part : parts) op.asked_bytes += part.iov_len;
  if (op.asked_bytes == 0) misuse("send of nothing");
  if (op.asked_bytes > INT32_MAX) misuse("send of more than a completion can count");
  link.send_reactor = this;
  link.send_op = index;
  link.send_asked = now_ns_;
}

// As sendmsg() without waiting. What was moved has left the sender's memory.
bool SimReactor::send_at_once(Link& link, std::span<const iovec> parts, Token token) {
  const auto done = [&](int32_t result) {
    loan_sends_.push_back({token, result, false, {}});
    return true;
  };
  for (const Completion& each : loan_sends_) {
    if (each.token.pack() == token.pack())
      misuse("a second send before " + text_of(token) + " was seen");
  }
  size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  if (bytes == 0) misuse("send of nothing");
  if (link.shutdown_down) return done(-EPIPE);
  if (link.was_reset) return done(world_.chance.percent(50) ? -ECONNRESET : -EPIPE);
  if (link.client_gone) {
    world_.reset(link, "sent to a closed client");
    return done(static_cast<int32_t>(bytes));
  }
  size_t count = std::min(bytes, link.down.space());
  if (count > 1 && world_.chance.percent(world_.faults.short_send)) {
    count = 1 + world_.chance.below(count);
  }
  if (count == 0) return false;
  gather(parts, 0, count);
  link.down.write(scratch_);
  world_.trace.note(world_.now(), Mark::send_move, handle_, link.descriptor,
                    static_cast<int64_t>(count), static_cast<int64_t>(bytes));
  link.moved(count);
  if (!link.client_gone) link.client.on_link_changed();
  return done(static_cast<int32_t>(count));
}

void SimReactor::cancel(Token token) {
  preempt();
  for (Op& op : ops_) op.given_up |= op.state != State::none && op.token.pack() == token.pack();
  submissions_.push_back({Submission::Kind::cancel, no_op, token, 0});
}

void SimReactor::shutdown_send(int descriptor) {
  preempt();
  Link& link = link_of(descriptor, "shutdown_send");
  // At once, as the system call is: a send that was asked for and not submitted comes too late.
  world_.trace.note(world_.now(), Mark::fd_shutdown, handle_, descriptor);
  link.shutdown_down = true;
  link.down.ended = true;
  if (link.send_op != no_op) link.send_reactor->poke(link.send_op);
  if (!link.client_gone) link.client.on_link_changed();
}

void SimReactor::close(int descriptor) {
  preempt();
  if (world_.listener_of(descriptor) != nullptr) {
    if (!world_.listener_of(descriptor)->accept_ops.empty()) misuse("close with accept in flight");
  } else {
    const Link& link = link_of(descriptor, "close");
    if (link.recv_op != no_op) misuse("close with recv in flight");
    if (link.send_op != no_op) misuse("close with send in flight");
  }
  world_.trace.note(world_.now(), Mark::fd_close, handle_, descriptor);
  world_.close_descriptor(descriptor);
}

core::PeerAddress SimReactor::adopt(int descriptor) {
  preempt();
  const Link& link = link_of(descriptor, "adopt");
  return {"10.0." + std::to_string(link.id / 256) + "." + std::to_string(link.id % 256),
          static_cast<uint16_t>(30000 + link.id)};
}

void SimReactor::wake(int peer_handle) {
  preempt();
  if (world_.reactor(peer_handle) == nullptr) misuse("wake of an unknown handle");
  stats_.wakes_sent++;
  submissions_.push_back({Submission::Kind::wake, no_op, {}, peer_handle});
}

void SimReactor::notify() {
  world_.trace.note(world_.now(), Mark::notify, handle_);
  post_plain({OpKind::notify, 0, 0});
}

// ---- Submitting.

void SimReactor::submit() {
  if (submissions_.empty()) return;
  // Nothing here asks for more, so the list may be walked in place.
  for (const Submission& submission : submissions_) {
    switch (submission.kind) {
      case Submission::Kind::start:
        submit_op(submission.op);
        break;
      case Submission::Kind::cancel:
        submit_cancel(submission.token);
        break;
      case Submission::Kind::wake:
        world_.trace.note(world_.now(), Mark::wake, handle_, submission.handle);
        world_.reactor(submission.handle)->post_plain({OpKind::wake, 0, 0});
        break;
    }
  }
  submissions_.clear();
}

void SimReactor::submit_op(uint32_t index) {
  Op& op = ops_[index];
  op.state = State::running;
  op.last_moved = world_.now();
  // Not through a pipe so thin that nobody could tell it from one that is stuck.
  op.whole = op.use == OpKind::send && op.asked_bytes <= 4 * op.link->down.capacity() &&
             world_.chance.percent(world_.faults.whole_send);
  // Arming on an empty pool may fail though the socket is idle.
  if (op.use == OpKind::recv && pool_.free_count() == 0 && world_.chance.percent(50)) {
    stats_.receive_buffers_exhausted++;
    return post(index, -ENOBUFS, false);
  }
  poke(index);
}

void SimReactor::submit_cancel(Token token) {
  for (uint32_t i = 0; i < ops_.size(); i++) {
    Op& op = ops_[i];
    if (op.state != State::running || op.token.pack() != token.pack()) continue;
    world_.trace.note(world_.now(), Mark::cancel, handle_, static_cast<int>(token.kind),
                      token.slot);
    world_.schedule(world_.now() + world_.delay(), *this, finish_cancel,
                    i | uint64_t{op.generation} << 32);
  }
}

// ---- Progress.

void SimReactor::poke(uint32_t index) {
  Op& op = ops_[index];
  if (op.state != State::running || op.poked) return;
  op.poked = true;
  world_.schedule(world_.now() + world_.delay(), *this, progress,
                  index | uint64_t{op.generation} << 32);
}

void SimReactor::run(uint32_t what, uint64_t argument) {
  if (what == nothing) return;
  const auto index = static_cast<uint32_t>(argument);
  Op& op = ops_[index];
  if (!attached_ || op.generation != argument >> 32 || op.state != State::running) return;
  if (what == finish_cancel) {
    const bool moved = op.use == OpKind::send && op.moved_bytes > 0;
    return post(index, moved ? static_cast<int32_t>(op.moved_bytes) : -ECANCELED, false);
  }
  op.poked = false;
  switch (op.use) {
    case OpKind::accept:
      return progress_accept(index);
    case OpKind::recv:
      return progress_recv(index);
    default:
      return progress_send(index);
  }
}

void SimReactor::progress_accept(uint32_t index) {
  Listener& door = *ops_[index].listener;
  if (door.backlog.empty()) return;
  Chance& chance = world_.chance;
  if (chance.percent(world_.faults.accept_error)) {
    if (chance.percent(50)) return post(index, chance.percent(50) ? -EMFILE : -ENFILE, false);
    Link* aborted = door.backlog.front();
    door.backlog.erase(door.backlog.begin());
    world_.reset(*aborted, "aborted in the backlog");
    return post(index, -ECONNABORTED, false);
  }
  if (world_.descriptors_open() >= world_.descriptors_max) return post(index, -EMFILE, false);
  Link* link = door.backlog.front();
  door.backlog.erase(door.backlog.begin());
  post(index, world_.open(*link), false);
}

void SimReactor::progress_recv(uint32_t index) {
  Op& op = ops_[index];
  Link& link = *op.link;
  Chance& chance = world_.chance;
  const size_t readable = link.up.size();
  if (readable == 0) {
    if (link.was_reset) return post(index, -ECONNRESET, false);
    if (link.up.ended) return post(index, 0, false);
    return;
  }
  if (pool_.free_count() == 0 || chance.percent(world_.faults.no_buffers)) {
    stats_.receive_buffers_exhausted++;
    return post(index, -ENOBUFS, false);
  }
  const size_t cap = world_.kernel.ends_at_cap ? config_.recv_cap_bytes - op.moved_bytes : SIZE_MAX;
  size_t count = std::min({readable, pool_.bytes_each(), cap});
  if (count > 1 && chance.percent(world_.faults.short_read)) count = 1 + chance.below(count);
  const uint32_t buffer = pool_.fill(link.up.peek().substr(0, count));
  link.up.consume(count);
  op.moved_bytes += count;
  const bool more = count < cap && !op.once && !chance.percent(world_.faults.multishot_end);
  post(index, static_cast<int32_t>(count), more, true, buffer);
  link.moved(count);
  if (!link.client_gone) link.client.on_link_changed();
  if (more && (link.up.size() > 0 || link.up.ended)) poke(index);
}

void SimReactor::progress_send(uint32_t index) {
  Op& op = ops_[index];
  Link& link = *op.link;
  Chance& chance = world_.chance;
  if (link.was_reset || link.shutdown_down) {
    if (op.moved_bytes > 0) return post(index, static_cast<int32_t>(op.moved_bytes), false);
    return post(index, link.was_reset && chance.percent(50) ? -ECONNRESET : -EPIPE, false);
  }
  const size_t left = op.asked_bytes - op.moved_bytes;
  if (link.client_gone) {  // The kernel takes it; what comes back is a reset.
    gather(op.parts, op.moved_bytes, left);
    op.moved += scratch_;
    op.moved_bytes = op.asked_bytes;
    post(index, static_cast<int32_t>(op.asked_bytes), false);
    return world_.reset(link, "sent to a closed client");
  }
  size_t count = std::min(left, link.down.space());
  if (count == 0) return;
  const bool cut = count > 1 && chance.percent(world_.faults.short_send);
  if (cut) count = 1 + chance.below(count);
  // Read now, not when it was asked for: memory that was reused since sends the wrong bytes.
  gather(op.parts, op.moved_bytes, count);
  op.moved += scratch_;
  link.down.write(scratch_);
  op.moved_bytes += count;
  op.last_moved = world_.now();
  world_.trace.note(world_.now(), Mark::send_move, handle_, op.descriptor,
                    static_cast<int64_t>(count), static_cast<int64_t>(op.asked_bytes));
  if (op.moved_bytes == op.asked_bytes || !op.whole) {
    post(index, static_cast<int32_t>(op.moved_bytes), false);
  } else if (cut) {
    poke(index);
  }
  link.moved(count);
  if (!link.client_gone) link.client.on_link_changed();
}

void SimReactor::gather(std::span<const iovec> parts, size_t from, size_t count) {
  scratch_.clear();
  for (const iovec& part : parts) {
    if (scratch_.size() == count) break;
    if (from >= part.iov_len) {
      from -= part.iov_len;
      continue;
    }
    const size_t take = std::min(part.iov_len - from, count - scratch_.size());
    scratch_.append(static_cast<const char*>(part.iov_base) + from, take);
    from = 0;
  }
}

// ---- Completing.

void SimReactor::post(uint32_t index, int32_t result, bool more, bool has_buffer, uint32_t buffer) {
  Op& op = ops_[index];
  const Mark mark = op.use == OpKind::accept ? Mark::accept_post
                    : op.use == OpKind::recv ? Mark::recv_post
                                             : Mark::send_post;
  world_.trace.note(world_.now(), mark, handle_, op.descriptor, result, more);
  const bool late = world_.chance.percent(world_.faults.late_completion);
  const Time visible = world_.now() + (late ? world_.chance.between(0, world_.faults.slow_max) : 0);
  // Where completions find no room in the queue, what could go on ends.
  if (more && posted_.size() >= config_.completion_entries) {
    more = false;
    stats_.completion_overflows++;
  }
  op.last_visible = std::max(op.last_visible, visible);  // One operation's own keep their order.
  if (!more) op.state = State::done;
  insert({op.last_visible, op.token, result, more, has_buffer, buffer, index});
}

void SimReactor::post_plain(Token token) {
  if (!attached_) return;
  insert({world_.now() + world_.delay(), token, 0, false, false, 0, no_op});
}

void SimReactor::insert(const Posted& posted) {
  size_t at = posted_.size();
  while (at > 0 && posted_[at - 1].visible > posted.visible) at--;
  posted_.insert(posted_.begin() + static_cast<ptrdiff_t>(at), posted);
  if (sleeper != nullptr) {
    sleeper->on_completion_posted();
  } else {
    world_.schedule(posted.visible, *this, nothing);  // So that time passes until then.
  }
}

void SimReactor::on_leap(Time by) {
  for (Posted& posted : posted_) posted.visible += by;
  for (Op& op : ops_) {
    op.last_visible += by;
    op.last_moved += by;
  }
  if (sleeper != nullptr) sleeper->on_completion_posted();
}

bool SimReactor::has_visible() const {
  return !posted_.empty() && posted_.front().visible <= world_.now();
}

std::span<const Completion> SimReactor::wait(int64_t deadline_ns, core::Baton* baton) {
  if (!given_back_) misuse("wait() before give_back()");
  baton_ = baton;
  submit();
  stats_.enters++;
  now_ns_ = world_.now();
  size_t count = 0;
  while (count < posted_.size() && posted_[count].visible <= now_ns_) count++;
  size_t most = config_.completion_entries;
  if (count > 1 && world_.chance.percent(world_.faults.small_batch)) {
    most = 1 + world_.chance.below(4);
  }
  if (count > most) {
    count = most;
    stats_.completion_overflows++;
  }
  // A lent turn may find that there is more time than was promised.
  if (count == 0 && deadline_ns > now_ns_ && promised_deadline <= now_ns_ && !was_lent_) {
    misuse("the shard promised not to sleep, and sleeps");
  }
  was_lent_ = false;
  handed_.swap(loan_sends_);
  for (size_t i = 0; i < count; i++) hand_over(posted_[i]);
  posted_.erase(posted_.begin(), posted_.begin() + static_cast<ptrdiff_t>(count));
  stats_.completions += count;
  handed_over_last = handed_.size();
  given_back_ = handed_.empty();
  preempt();
  return handed_;
}

void SimReactor::begin_loan() {
  if (!given_back_) misuse("a loan before give_back()");
  if (on_loan_ || in_turn) misuse("a loan of a shard that runs");
  on_loan_ = true;
  was_lent_ = true;
  in_turn = true;
  now_ns_ = world_.now();
  preempt();
}

std::span<const Completion> SimReactor::loan_completions() {
  if (!on_loan_) misuse("loan_completions() without a loan");
  handed_.swap(loan_sends_);
  given_back_ = handed_.empty();
  return handed_;
}

bool SimReactor::end_loan() {
  preempt();
  on_loan_ = false;
  in_turn = false;
  return !submissions_.empty() || !loan_sends_.empty();
}

void SimReactor::hand_over(const Posted& posted) {
  Completion completion{posted.token, posted.result, posted.more, {}};
  if (posted.has_buffer) {
    completion.bytes = pool_.view(posted.buffer, static_cast<size_t>(posted.result));
    lent_.push_back(posted);
  }
  handed_.push_back(completion);
  if (posted.op != no_op && !posted.more) finish(posted.op);
}

// The last completion of an operation is out: its descriptor is free for the next, and a send's
// memory for its owner. Until here it had to stay what it was.
void SimReactor::finish(uint32_t index) {
  Op& op = ops_[index];
  switch (op.use) {
    case OpKind::accept:
      if (op.listener->reactor == this) std::erase(op.listener->accept_ops, index);
      break;
    case OpKind::recv:
      op.link->recv_op = no_op;
      break;
    default:
      op.link->send_op = no_op;
      op.link->send_asked = never;
      if (!op.given_up) op.link->deadline_leapt = false;
      gather(op.parts, 0, op.moved_bytes);
      if (scratch_ != op.moved) misuse("a send's memory changed before it was done");
      op.moved.clear();
      break;
  }
  op.state = State::none;
  free_ops_.push_back(index);
}

void SimReactor::give_back() {
  std::erase_if(held_, [this](uint32_t buffer) { return holds_[buffer].ended(); });
  std::erase_if(lent_, [this](const Posted& lent) {
    if (std::ranges::find(held_, lent.buffer) != held_.end()) return false;
    pool_.give_back(lent.buffer, static_cast<size_t>(lent.result));
    return true;
  });
  for (Completion& completion : handed_) {
    completion = {{OpKind{0}, UINT32_MAX, Token::generation_mask}, INT32_MIN, true, {}};
  }
  handed_.clear();
  given_back_ = true;
  preempt();
}

uint32_t SimReactor::unsent_bytes(int descriptor) {
  return static_cast<uint32_t>(link_of(descriptor, "unsent_bytes()").down.size());
}

core::BufferHold* SimReactor::hold(const char* at) {
  const uint32_t buffer = pool_.index_of(at);
  if (buffer == pool_.count()) return nullptr;
  if (std::ranges::none_of(lent_, [&](const Posted& lent) { return lent.buffer == buffer; })) {
    misuse("hold() of bytes that have gone back");
  }
  if (std::ranges::find(held_, buffer) == held_.end()) {
    if (held_.size() >= pool_.count() / 2) return nullptr;
    held_.push_back(buffer);
  }
  holds_[buffer].begin();
  return &holds_[buffer];
}

size_t SimReactor::operations_in_flight() const {
  size_t count = 0;
  for (const Op& op : ops_) count += op.state != State::none ? 1 : 0;
  return count;
}

std::vector<int> SimReactor::sends_stuck_since(Time then) const {
  std::vector<int> stuck;
  for (const Op& op : ops_) {
    if (op.state == State::running && op.use == OpKind::send && op.last_moved < then) {
      stuck.push_back(op.descriptor);
    }
  }
  return stuck;
}

void SimReactor::detach() {
  attached_ = false;
  for (Op& op : ops_) op.state = State::none;
  submissions_.clear();
  posted_.clear();
  sleeper = nullptr;
}

}  // namespace peal::sim

// ---- The class of core/reactor.hpp, by handing everything on.

namespace peal::core {

struct Reactor::Impl {
  sim::SimReactor& sim;
};

std::variant<std::unique_ptr<Reactor>, std::string> Reactor::create(const ReactorConfig& config) {
  auto& sim = sim::World::current().add_reactor(config);
  return std::unique_ptr<Reactor>(new Reactor(std::make_unique<Impl>(Impl{sim})));
}

Reactor::Reactor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reactor::~Reactor() {
  if (sim::World::current_or_null() != nullptr) impl_->sim.detach();
}

void Reactor::accept(int listener, Token token) { impl_->sim.accept(listener, token); }
void Reactor::recv(int descriptor, Token token) { impl_->sim.recv(descriptor, token); }
bool Reactor::ends_recv_at_cap() const { return sim::World::current().kernel.ends_at_cap; }
void Reactor::recv_once(int descriptor, Token token) { impl_->sim.recv_once(descriptor, token); }
void Reactor::send(int descriptor, std::span<const iovec> parts, Token token) {
  impl_->sim.send(descriptor, parts, token);
}
void Reactor::cancel(Token token) { impl_->sim.cancel(token); }
uint32_t Reactor::unsent_bytes(int descriptor) const { return impl_->sim.unsent_bytes(descriptor); }
void Reactor::shutdown_send(int descriptor) { impl_->sim.shutdown_send(descriptor); }
void Reactor::close(int descriptor) { impl_->sim.close(descriptor); }
PeerAddress Reactor::adopt(int descriptor) { return impl_->sim.adopt(descriptor); }
int Reactor::handle() const { return impl_->sim.handle(); }
void Reactor::wake(int peer_handle) { impl_->sim.wake(peer_handle); }
void Reactor::notify() { impl_->sim.notify(); }
std::span<const Completion> Reactor::wait(int64_t deadline_ns, Baton* baton) {
  return impl_->sim.wait(deadline_ns, baton);
}
void Reactor::begin_loan() { impl_->sim.begin_loan(); }
std::span<const Completion> Reactor::loan_completions() { return impl_->sim.loan_completions(); }
bool Reactor::end_loan() { return impl_->sim.end_loan(); }
void Reactor::give_back() { impl_->sim.give_back(); }
BufferHold* Reactor::hold(const char* at) { return impl_->sim.hold(at); }
unsigned Reactor::receive_buffers() const { return impl_->sim.receive_buffers(); }
int64_t Reactor::now_ns() const { return impl_->sim.now_ns(); }
const ReactorStats& Reactor::stats() const { return impl_->sim.stats(); }

}  // namespace peal::core
