// The reactor over io_uring. One enter a turn submits everything that the turn asked for and
// fetches what has completed; see reactor.hpp for what callers may rely on.

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <deque>
#include <vector>

#include "core/buffer_ring.hpp"
#include "core/clock.hpp"
#include "core/error_text.hpp"
#include "core/hangup_watch.hpp"
#include "core/reactor.hpp"
#include "core/ring.hpp"

namespace peal::core {
namespace {

// A turn handles so many completions at most; what is left comes with the next, so that wakes and
// flushes never wait for a flood to end.
constexpr size_t completions_per_turn = 256;

// The pool is half of a core's L2 cache (1 MiB where this was measured): a larger one walks through
// memory and costs a busy publisher about a fifth of its rate.
constexpr BufferRing::Shape incremental_shape{0, 32 * 1024, 16, true};
constexpr BufferRing::Shape small_shape{0, 4 * 1024, 64, false};
constexpr BufferRing::Shape large_shape{1, 32 * 1024, 8, false};

constexpr uint64_t notify_data = Token{OpKind::notify, 0, 0}.pack();
constexpr uint64_t wake_data = Token{OpKind::wake, 0, 0}.pack();
constexpr uint64_t discard_data = Token{OpKind::discard, 0, 0}.pack();

// What a wake completes with on this side, which it does only when it fails: whom it was for.
constexpr uint32_t wake_sent = 1;
constexpr uint64_t wake_sent_data(int peer_handle) {
  return Token{OpKind::discard, static_cast<uint32_t>(peer_handle), wake_sent}.pack();
}

/// Whether what was refused may be granted when it is asked for again.
bool may_pass(int error) {
  return error == EINTR || error == EAGAIN || error == EBUSY || error == ENOMEM ||
         error == ENOBUFS || error == EOVERFLOW;
}

/// What a vectored send points to until it has been submitted.
struct SendHeader {
  msghdr message;
  std::array<iovec, 16> parts;
};

}  // namespace

struct Reactor::Impl {
  Ring ring;
  BufferRing buffers;
  BufferRing large_buffers;  // Where those of the other ring cannot be shared.
  int notify_descriptor = -1;
  uint64_t notify_value = 0;
  HangupWatch hangups;
  uint32_t recv_cap_bytes = 0;  // 0: the kernel cannot end a receive by itself.
  std::vector<Completion> completions;
  std::deque<SendHeader> send_headers;  // A deque, for addresses that stay.
  size_t send_headers_used = 0;
  int64_t now_ns = 0;
  ReactorStats stats;

  bool on_loan = false;
  std::vector<Completion> loan_sends;          // Done, and not yet handed over.
  std::vector<io_uring_sqe> loan_submissions;  // For the reactor's own thread.

  ~Impl() {
    if (notify_descriptor >= 0) ::close(notify_descriptor);
  }

  std::optional<std::string> open(const ReactorConfig& config);
  bool probe_recv_cap();
  io_uring_sqe* entry();
  bool send_at_once(int descriptor, std::span<const iovec> parts, Token token);
  void take_over_loan();
  void arm_notify();
  void send_wake(int peer_handle);
  void collect(io_uring_cqe& cqe);
  std::string_view take(const io_uring_cqe& cqe) {
    const auto buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    return (BufferRing::group_of(buffer) == 0 ? buffers : large_buffers).take(buffer, cqe.res);
  }
};

std::optional<std::string> Reactor::Impl::open(const ReactorConfig& config) {
  if (auto error = ring.open(config.submission_entries, config.completion_entries)) return error;

  int result = -EINVAL;
  if (config.features & feature_incremental_buffers) {
    result = buffers.open(ring.raw(), incremental_shape);
  }
  if (result == -EINVAL) {
    result = buffers.open(ring.raw(), small_shape);
    if (result == 0) result = large_buffers.open(ring.raw(), large_shape);
  }
  if (result != 0) {
    return std::string("receive buffers could not be registered with io_uring: ") +
           error_text(-result) + "; Peal needs Linux 6.1 or later and free memory";
  }
  if ((config.features & feature_recv_cap) && probe_recv_cap()) {
    recv_cap_bytes = config.recv_cap_bytes;
  }
  notify_descriptor = eventfd(0, EFD_CLOEXEC);
  if (notify_descriptor < 0) return std::string("eventfd: ") + error_text(errno);
  arm_notify();
  completions.reserve(completions_per_turn);
  now_ns = monotonic_ns();
  return std::nullopt;
}

// Kernels before 6.17 refuse a receive that has this field set, so one receive tells.
bool Reactor::Impl::probe_recv_cap() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
  const bool sent = ::send(pair[1], "x", 1, MSG_NOSIGNAL) == 1;
  ::close(pair[1]);
  io_uring_sqe* entry = ring.entry();
  io_uring_prep_recv_multishot(entry, pair[0], nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = buffers.group();
  entry->file_index = 1;  // Where newer headers have `optlen`.
  entry->user_data = discard_data;
  bool capped = false;
  for (bool more = true; more;) {
    io_uring_cqe* cqe = nullptr;
    if (io_uring_submit_and_wait(&ring.raw(), 1) < 0 || io_uring_peek_cqe(&ring.raw(), &cqe) != 0) {
      break;
    }
    if (cqe->flags & IORING_CQE_F_BUFFER) take(*cqe);
    more = cqe->flags & IORING_CQE_F_MORE;
    if (cqe->res == 1) capped = !more;
    io_uring_cqe_seen(&ring.raw(), cqe);
  }
  ::close(pair[0]);
  buffers.give_back();
  return sent && capped;
}

// Only the thread that owns the ring may touch it: it may be in the midst of submitting.
io_uring_sqe* Reactor::Impl::entry() {
  return on_loan ? &loan_submissions.emplace_back() : ring.entry();
}

// False when the socket takes nothing now, and the kernel has to wait for it.
bool Reactor::Impl::send_at_once(int descriptor, std::span<const iovec> parts, Token token) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  const ssize_t sent = ::sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno == EAGAIN) return false;
  loan_sends.push_back({token, sent < 0 ? -errno : static_cast<int32_t>(sent), false, {}});
  return true;
}

// What borrowers have left: what they could not submit, and sends that nobody has been told of.
void Reactor::Impl::take_over_loan() {
  for (const io_uring_sqe& each : loan_submissions) *ring.entry() = each;
  loan_submissions.clear();
  completions.insert(completions.end(), loan_sends.begin(), loan_sends.end());
  loan_sends.clear();
}

void Reactor::Impl::arm_notify() {
  io_uring_sqe* entry = ring.entry();
  io_uring_prep_read(entry, notify_descriptor, &notify_value, sizeof notify_value, 0);
  entry->user_data = notify_data;
}

void Reactor::Impl::send_wake(int peer_handle) {
  io_uring_sqe* entry = this->entry();
  io_uring_prep_msg_ring(entry, peer_handle, 0, wake_data, 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = wake_sent_data(peer_handle);
}

void Reactor::Impl::collect(io_uring_cqe& cqe) {
  const Token token = Token::unpack(cqe.user_data);
  if (token.kind == OpKind::discard) {
    // A wake that found no memory, or no room at the other end, would be missed for ever: the other
    // one sleeps, and counts on it.
    if (token.generation == wake_sent && may_pass(-cqe.res)) {
      send_wake(static_cast<int>(token.slot));
    }
    return;
  }
  Completion done{token, cqe.res, (cqe.flags & IORING_CQE_F_MORE) != 0, {}};
  if (cqe.flags & IORING_CQE_F_BUFFER) done.bytes = take(cqe);
  if (token.kind == OpKind::notify) arm_notify();
  if (token.kind == OpKind::recv && done.more && cqe.res > 0) hangups.on_bytes(token, now_ns);
  if (cqe.res == -ENOBUFS) stats.receive_buffers_exhausted++;
  completions.push_back(done);
}

std::variant<std::unique_ptr<Reactor>, std::string> Reactor::create(const ReactorConfig& config) {
  auto impl = std::make_unique<Impl>();
  if (auto error = impl->open(config)) return *std::move(error);
  return std::unique_ptr<Reactor>(new Reactor(std::move(impl)));
}

Reactor::Reactor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reactor::~Reactor() = default;

void Reactor::accept(int listener, Token token) {
  io_uring_sqe* entry = impl_->entry();
  io_uring_prep_accept(entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
  entry->user_data = token.pack();
}

void Reactor::recv(int descriptor, Token token) {
  io_uring_sqe* entry = impl_->entry();
  io_uring_prep_recv_multishot(entry, descriptor, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = impl_->buffers.group();
  entry->file_index = impl_->recv_cap_bytes;  // Where newer headers have `optlen`.
  impl_->hangups.on_recv(descriptor, token);
  // Without this, arming while the pool is empty fails at once, even for a socket with nothing to
  // say.
  if (impl_->buffers.available() == 0) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
  entry->user_data = token.pack();
}

bool Reactor::ends_recv_at_cap() const { return impl_->recv_cap_bytes != 0; }

void Reactor::recv_once(int descriptor, Token token) {
  BufferRing& large = impl_->large_buffers;
  const BufferRing& from = large.available() > 0 ? large : impl_->buffers;
  io_uring_sqe* entry = impl_->entry();
  io_uring_prep_recv(entry, descriptor, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = from.group();
  if (from.available() == 0) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
  entry->user_data = token.pack();
}

void Reactor::send(int descriptor, std::span<const iovec> parts, Token token) {
  if (impl_->on_loan && impl_->send_at_once(descriptor, parts, token)) return;
  io_uring_sqe* entry = impl_->entry();
  if (parts.size() == 1) {
    io_uring_prep_send(entry, descriptor, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
  } else {
    auto& headers = impl_->send_headers;
    if (impl_->send_headers_used == headers.size()) headers.emplace_back();
    SendHeader& header = headers[impl_->send_headers_used++];
    assert(parts.size() <= header.parts.size());
    std::copy(parts.begin(), parts.end(), header.parts.begin());
    header.message = {};
    header.message.msg_iov = header.parts.data();
    header.message.msg_iovlen = parts.size();
    io_uring_prep_sendmsg(entry, descriptor, &header.message, MSG_NOSIGNAL);
  }
  entry->user_data = token.pack();
}

void Reactor::cancel(Token token) {
  io_uring_sqe* entry = impl_->entry();
  io_uring_prep_cancel64(entry, token.pack(), IORING_ASYNC_CANCEL_ALL);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = discard_data;
}

uint32_t Reactor::unsent_bytes(int descriptor) const {
  int bytes = 0;
  return ::ioctl(descriptor, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<uint32_t>(bytes) : 0;
}

void Reactor::shutdown_send(int descriptor) { ::shutdown(descriptor, SHUT_WR); }

void Reactor::close(int descriptor) {
  io_uring_sqe* entry = impl_->entry();
  io_uring_prep_close(entry, descriptor);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = discard_data;
}

PeerAddress Reactor::adopt(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage address{};
  socklen_t address_bytes = sizeof address;
  PeerAddress peer;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &address_bytes) != 0) {
    return peer;
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    peer.port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    // A client of an IPv4 address is shown as such, though the listener speaks both.
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    }
    peer.port = ntohs(v6.sin6_port);
  }
  peer.host = text;
  return peer;
}

int Reactor::handle() const { return impl_->ring.raw().ring_fd; }

void Reactor::wake(int peer_handle) {
  impl_->send_wake(peer_handle);
  impl_->stats.wakes_sent++;
}

void Reactor::notify() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(impl_->notify_descriptor, &one, sizeof one);
}

std::span<const Completion> Reactor::wait(int64_t deadline_ns, Baton* baton) {
  Impl& impl = *impl_;
  assert(impl.completions.empty());  // give_back() comes between two waits.
  const int64_t begin_ns = monotonic_ns();
  impl.stats.last_turn_ns = begin_ns - impl.now_ns;
  if (impl.hangups.due_ns() <= begin_ns) {
    impl.hangups.look([this](Token token) { cancel(token); });
  }
  deadline_ns = std::min(deadline_ns, impl.hangups.due_ns());
  int64_t timeout_ns = 0;
  if (deadline_ns == INT64_MAX) {
    timeout_ns = -1;
  } else if (deadline_ns > impl.now_ns) {
    timeout_ns = std::max<int64_t>(0, deadline_ns - begin_ns);
  }
  if (baton != nullptr && timeout_ns != 0) baton->lend();
  impl.ring.enter(timeout_ns);
  if (baton != nullptr) baton->take_back();
  impl.stats.enters++;
  // What was submitted needs its headers no more, but those of a loan are still to be.
  if (impl.loan_submissions.empty()) impl.send_headers_used = 0;
  impl.take_over_loan();
  impl.now_ns = monotonic_ns();

  unsigned head;
  io_uring_cqe* cqe;
  unsigned seen = 0;
  io_uring_for_each_cqe(&impl.ring.raw(), head, cqe) {
    if (seen == completions_per_turn) break;
    impl.collect(*cqe);
    seen++;
  }
  io_uring_cq_advance(&impl.ring.raw(), seen);
  if (io_uring_cq_has_overflow(&impl.ring.raw())) impl.stats.completion_overflows++;
  impl.stats.completions += seen;
  return impl.completions;
}

void Reactor::begin_loan() {
  impl_->on_loan = true;
  impl_->now_ns = monotonic_ns();
}

std::span<const Completion> Reactor::loan_completions() {
  assert(impl_->completions.empty());
  impl_->completions.swap(impl_->loan_sends);
  return impl_->completions;
}

bool Reactor::end_loan() {
  impl_->on_loan = false;
  impl_->stats.last_loan_ns = monotonic_ns() - impl_->now_ns;
  return !impl_->loan_submissions.empty() || !impl_->loan_sends.empty();
}

void Reactor::give_back() {
  impl_->completions.clear();
  impl_->buffers.give_back();
  impl_->large_buffers.give_back();
}

BufferHold* Reactor::hold(const char* at) {
  BufferHold* const found = impl_->buffers.hold(at);
  return found != nullptr ? found : impl_->large_buffers.hold(at);
}

unsigned Reactor::receive_buffers() const {
  return impl_->buffers.available() + impl_->large_buffers.available();
}
int64_t Reactor::now_ns() const { return impl_->now_ns; }
const ReactorStats& Reactor::stats() const { return impl_->stats; }

}  // namespace peal::core
