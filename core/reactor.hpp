#pragma once
// The seam: operations in, completions out. Everything that a shard asks of the kernel, of the
// clock or of its fellow shards' sleep goes through here. It knows descriptors and bytes; it must
// never know what the bytes mean.
//
// One reactor belongs to one thread, or while that waits, to whoever has borrowed the baton.
//
// Two implementations exist, chosen at link time: reactor_uring.cpp over io_uring, and
// tests/sim/reactor_sim.cpp over a seeded world in which whole shards run in one thread.
//
// What a caller may rely on, in both:
//   - recv is multishot: it completes many times. A completion without `more` is the last of its
//     operation, whatever its result, and may come at any moment (cap reached, no buffers, the
//     kernel's mood). The caller arms again if it still wants to. All others complete once.
//   - A send completes once, with a count that may be short of what was asked, or with an errno.
//     Its memory must stay as it is until then.
//   - cancel() ends the operations that carry a token. Each still completes, with ECANCELED or with
//     what it had done; completions that were already on their way arrive first.
//   - Completions of one operation keep their order. Those of different operations may come in any.
//   - Nothing is called back: completions are handed over by wait() and stay valid until they are
//     given back by give_back().

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/baton.hpp"
#include "core/buffer_hold.hpp"

namespace peal::core {

/// What an operation was started for. Zero is no kind, so that a zeroed token is recognised.
enum class OpKind : uint8_t { accept = 1, recv, send, wake, notify, discard };

/// Names an operation's owner without pointing to it: a completion that arrives after its owner has
/// gone finds another generation in the slot, and is dropped.
struct Token {
  OpKind kind;
  uint32_t slot;
  uint32_t generation;  // 24 bits are kept.

  static constexpr uint32_t generation_mask = (1u << 24) - 1;

  constexpr uint64_t pack() const {
    return uint64_t{static_cast<uint8_t>(kind)} << 56 |
           uint64_t{generation & generation_mask} << 32 | slot;
  }
  static constexpr Token unpack(uint64_t packed) {
    return {static_cast<OpKind>(packed >> 56), static_cast<uint32_t>(packed),
            static_cast<uint32_t>(packed >> 32) & generation_mask};
  }
};

struct Completion {
  Token token;
  int32_t result;          // Bytes done, a new descriptor, or -errno.
  bool more;               // The operation is still armed.
  std::string_view bytes;  // recv only: what came. Lies in a receive buffer until give_back().
};

/// Numeric address of a peer, as text without port ("127.0.0.1", "::1"), and its port.
struct PeerAddress {
  std::string host;
  uint16_t port = 0;
};

/// Kernel features newer than 6.1 that are used when they are there. A cleared bit forces the
/// fallback, so that the path of an old kernel can be tested on a new one.
enum Feature : uint32_t {
  feature_incremental_buffers = 1u << 0,  // 6.12: one receive buffer shared by many small reads.
  feature_recv_cap = 1u << 1,             // 6.17: a multishot receive ends after so many bytes.
  feature_all = ~0u,
};

struct ReactorConfig {
  unsigned submission_entries = 1024;
  unsigned completion_entries = 8192;
  /// One socket takes about this much in one turn, then its neighbours are served. It is the unit
  /// of what a paused connection may still bring, and mailboxes hold at least two of it.
  uint32_t recv_cap_bytes = 64 * 1024;
  uint32_t features = feature_all;
};

/// Counted by whoever runs the reactor: its thread, or a borrower.
struct ReactorStats {
  uint64_t enters = 0;
  uint64_t completions = 0;
  uint64_t completion_overflows = 0;
  uint64_t wakes_sent = 0;
  uint64_t receive_buffers_exhausted = 0;
  int64_t last_turn_ns = 0;  // From the end of a wait to the beginning of the next.
  int64_t last_loan_ns = 0;
};

class Reactor {
 public:
  /// Must be called on the thread that will use the reactor. The error is one sentence with the
  /// remedy.
  static std::variant<std::unique_ptr<Reactor>, std::string> create(const ReactorConfig& config);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Accepts one newcomer; the result is a descriptor, or -errno. Several may be asked for at a
  /// time, under one token. A multishot accept would take all who have come in one go, and the
  /// reactor would be deaf meanwhile: 140 ms for ten thousand.
  void accept(int listener, Token token);

  /// Receives into the shard's pool of provided buffers. No buffer belongs to an idle socket.
  void recv(int descriptor, Token token);

  /// Whether recv() ends by itself after one cap. Before Linux 6.17 it goes on for as long as the
  /// socket has bytes and the pool has buffers, so a busy socket is better read by recv_once().
  bool ends_recv_at_cap() const;

  /// One completion, from the pool's largest buffers.
  void recv_once(int descriptor, Token token);

  /// One send of all the parts in order. The array may go at once; the bytes that it names may not.
  void send(int descriptor, std::span<const iovec> parts, Token token);

  void cancel(Token token);

  /// What the kernel holds of what was sent there and the peer has not taken. A system call.
  uint32_t unsent_bytes(int descriptor) const;

  /// The peer reads end of file once everything sent has arrived.
  void shutdown_send(int descriptor);

  /// No operation may be in flight on it.
  void close(int descriptor);

  /// Options that every accepted socket gets, and who is at the other end.
  PeerAddress adopt(int descriptor);

  /// How fellow reactors name this one in wake().
  int handle() const;

  /// Gives the reactor behind `peer_handle` a wake completion. Goes out with the next wait().
  void wake(int peer_handle);

  /// The same from a thread that has no reactor, at once: a notify completion. The only function
  /// that any thread may call at any time.
  void notify();

  /// Submits what was asked since the last call and returns what has completed. With nothing
  /// completed it waits until `deadline_ns` of now_ns()'s clock; a deadline in the past never
  /// waits. While it waits, `baton` is lent, if there is one; afterwards it is held.
  std::span<const Completion> wait(int64_t deadline_ns, Baton* baton = nullptr);

  // ---- On the thread of whoever has borrowed the baton, in place of wait(). Until end_loan() a
  // send is done at once as far as the socket takes it; all else that is asked for waits until the
  // reactor's own thread has woken.

  void begin_loan();
  /// The sends that were done since the last call.
  std::span<const Completion> loan_completions();
  /// True when something waits for the reactor's own thread.
  bool end_loan();

  /// Ends the life of the last completions and their bytes: receive buffers go back to the kernel.
  void give_back();

  /// Keeps the receive buffer that received bytes lie in beyond give_back(), for one reader on
  /// another thread, who ends the hold before this reactor ends. nullptr when `at` is no received
  /// byte, or enough buffers are held already: a part of them always goes back.
  BufferHold* hold(const char* at);

  /// Receives that can be armed now with hope of a buffer; see ENOBUFS in connection.cpp.
  unsigned receive_buffers() const;

  /// Monotonic, read once a turn: the same until the next wait() returns.
  int64_t now_ns() const;

  const ReactorStats& stats() const;

 private:
  struct Impl;
  explicit Reactor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::core
