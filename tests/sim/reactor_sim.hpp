#pragma once
// core/reactor.hpp over a World. Everything that the header promises is kept, nothing else is: what
// it leaves open is drawn from the seed, and what it forbids ends the simulation.
//
// An operation is asked for, submitted by the next wait(), makes progress at moments of the world's
// choosing, posts completions, and is in flight until its last one has been handed over.
//
//  operation   completions, in the order in which they may come        how it ends
//  ---------   -----------------------------------------------------
//  -------------------------------- accept      (fd, more)* (fd), (-EMFILE), (-ENFILE),
//                                                                      (-ECONNABORTED),
//                                                                      (-ECANCELED)
//  recv        (n > 0, more)*                                          (n > 0): cap reached or
//  mood,
//                                                                      (0): end of file,
//                                                                      (-ENOBUFS),
//                                                                      (-ECONNRESET), (-ECANCELED)
//  recv_once   none                                                    as recv, with its first
//  bytes send        none                                                    (n of asked),
//  (-EPIPE),
//                                                                      (-ECONNRESET), (-ECANCELED)
//  wake        (0) on the target, once per wake(), no earlier than the waker's next wait()
//  notify      (0), once per notify(), at once
//  cancel      none of its own. Until the cancelled operation has ended it goes on as if nothing
//  had
//              happened, so its data or its own end may still come; a send that moved bytes says
//              how many. A token that nothing in flight carries is no error.
//
//  Between operations any order is legal, also that of a reply before the completion of its
//  request's send, and that of a new descriptor's first bytes before the completions of its
//  number's last owner (which are all over before close() is allowed, so they cannot be told apart
//  by a correct server).
//
//  A shard that sleeps lends its baton, and its reactor may be used by whoever borrows that: sends
//  are done at once, all of them or a part, or not at all and then as any other; whatever else is
//  asked for is submitted after its own thread has woken.
//
//  Forbidden, and found: a second receive or send on a descriptor that has one in flight; a second
//  operation with the token of one in flight; close() with anything in flight; any use of a number
//  that is no descriptor; wait() before give_back(); a change of a send's memory before its
//  completion has been handed over; an empty send, or one of more than 16 parts.

#include <span>
#include <vector>

#include "core/reactor.hpp"
#include "tests/sim/buffer_pool.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

/// The thread that sleeps in wait().
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  virtual void on_completion_posted() = 0;
};

class SimReactor : public Actor {
 public:
  SimReactor(World& world, const core::ReactorConfig& config, int handle);

  // ---- The seam.
  void accept(int listener, core::Token token);
  void recv(int descriptor, core::Token token);
  void recv_once(int descriptor, core::Token token);
  void send(int descriptor, std::span<const iovec> parts, core::Token token);
  void cancel(core::Token token);
  uint32_t unsent_bytes(int descriptor);
  void shutdown_send(int descriptor);
  void close(int descriptor);
  core::PeerAddress adopt(int descriptor);
  void wake(int peer_handle);
  void notify();
  std::span<const core::Completion> wait(int64_t deadline_ns, core::Baton* baton);
  void begin_loan();
  std::span<const core::Completion> loan_completions();
  bool end_loan();
  void give_back();
  core::BufferHold* hold(const char* at);
  unsigned receive_buffers() const {
    preempt();
    return pool_.free_count();
  }
  int handle() const { return handle_; }
  int64_t now_ns() const {
    preempt();
    return now_ns_;
  }
  const core::ReactorStats& stats() const { return stats_; }
  void detach();  // The shard is gone; what was in flight ends unseen.

  // ---- The kernel's side, for the world.
  /// What was asked for since the last time takes effect.
  void submit();
  bool has_visible() const;
  Time next_visible() const { return posted_.empty() ? never : posted_.front().visible; }
  void on_leap(Time by);
  /// Its thread sleeps from now on.
  void lend() {
    if (baton_ != nullptr) baton_->lend();
  }
  /// It has woken. False when somebody still runs the shard, and it has to wait for him.
  bool take_back() {
    if (baton_ == nullptr) return true;
    if (baton_->is_borrowed()) return baton_->claim_wake();
    baton_->take_back();
    return true;
  }
  /// The shard has given its turn to the kernel.
  void end_turn() { stats_.last_turn_ns = world_.now() - now_ns_; }
  void poke(uint32_t op);  // Something changed that it may have waited for.
  size_t operations_in_flight() const;
  unsigned buffers_in_use() const { return pool_.count() - pool_.free_count(); }
  size_t submissions() const { return submissions_.size(); }

  /// Descriptors of which a send has been in flight since before `then` and has not moved on.
  std::vector<int> sends_stuck_since(Time then) const;

  Sleeper* sleeper = nullptr;
  bool in_turn = false;  // The shard runs, and may be preempted.
  /// What the shard said that it would hand to wait(), if it is one that promises.
  int64_t promised_deadline = never;
  uint64_t handed_over_last = 0;

 private:
  enum class State : uint8_t { none, asked, running, done };
  struct Op {
    State state = State::none;
    core::OpKind use = core::OpKind::discard;  // What it is, whatever its token says.
    bool poked = false;
    bool once = false;   // A receive that ends with its first bytes.
    bool whole = false;  // A send that waits until everything has gone.
    bool given_up = false;
    uint32_t generation = 0;
    int descriptor = -1;
    core::Token token{};
    Link* link = nullptr;
    Listener* listener = nullptr;
    std::vector<iovec> parts;
    size_t asked_bytes = 0;
    size_t moved_bytes = 0;
    std::string moved;  // By a send: what its memory held then.
    Time last_visible = 0;
    Time last_moved = 0;
  };
  struct Submission {
    enum class Kind : uint8_t { start, cancel, wake } kind;
    uint32_t op;
    core::Token token;
    int handle;
  };
  struct Posted {
    Time visible;
    core::Token token;
    int32_t result;
    bool more;
    bool has_buffer;
    uint32_t buffer;
    uint32_t op;
  };
  enum What : uint32_t { progress, finish_cancel, nothing };

  void preempt() const {
    if (in_turn) world_.preempt();
  }
  void run(uint32_t what, uint64_t argument) override;
  uint32_t start(core::OpKind use, int descriptor, core::Token token);
  bool send_at_once(Link& link, std::span<const iovec> parts, core::Token token);
  void submit_op(uint32_t index);
  void submit_cancel(core::Token token);
  void progress_accept(uint32_t index);
  void progress_recv(uint32_t index);
  void progress_send(uint32_t index);
  void post(uint32_t index, int32_t result, bool more, bool has_buffer = false,
            uint32_t buffer = 0);
  void post_plain(core::Token token);
  void insert(const Posted& posted);
  void hand_over(const Posted& posted);
  void finish(uint32_t index);
  void gather(std::span<const iovec> parts, size_t from, size_t count);  // Into scratch_.
  Link& link_of(int descriptor, const char* use);

  World& world_;
  const core::ReactorConfig config_;
  const int handle_;
  bool attached_ = true;
  int64_t now_ns_;
  core::ReactorStats stats_;
  BufferPool pool_;
  std::vector<Op> ops_;
  std::vector<uint32_t> free_ops_;
  std::vector<Submission> submissions_;
  std::vector<Posted> posted_;  // By the time from which wait() may see them.
  std::vector<core::Completion> handed_;
  core::Baton* baton_ = nullptr;
  bool was_lent_ = false;  // Since the last wait().
  bool on_loan_ = false;
  std::vector<core::Completion> loan_sends_;  // Done, and not yet handed over.
  std::vector<Posted> lent_;                  // Buffers that are with the shard.
  std::vector<core::BufferHold> holds_;       // By buffer.
  std::vector<uint32_t> held_;                // Not known to be ended; each once.
  bool given_back_ = true;
  std::string scratch_;
};

}  // namespace peal::sim
