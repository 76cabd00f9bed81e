// What the kernel and the machine do seldom, done on demand to the server that ships: preloaded, it
// stands between the server and liburing, and between the server and its allocator. It knows both
// by the names of their functions, and follows rules that a test writes into a shared file while
// the server runs. It must never know what a connection is, beyond the port at its other end.
//
// A fault is one that the kernel could have brought about: an entry that is to fail becomes a no-op
// that completes with the error, so that nothing of it was done; one that is to be short asks for
// less; a multishot one that is to end is armed for one shot. What the server sees stays true.
//
// PEAL_FAULTS names the file (faults.py has its other end). Without it nothing is done.

#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

// Newer than the headers of Linux 6.1: a no-op whose result we choose (6.10).
constexpr uint32_t nop_inject_result = 1u << 0;

enum class Operation : uint32_t {
  none,
  accept,
  recv,
  send,
  cancel,
  wake,             // A message to another ring.
  notify,           // The read of the eventfd.
  enter,            // The system call itself.
  setup,            // io_uring_queue_init_params
  buffers,          // io_uring_register_buf_ring
  ring_descriptor,  // io_uring_register_ring_fd
};

enum class Act : uint32_t { none, fail, shorten, one_shot };

/// One line of the file. The test writes all but `done`; `left` counts down.
struct Rule {
  std::atomic<uint32_t> operation;
  std::atomic<uint32_t> act;
  std::atomic<uint32_t> value;   // An errno, or how many.
  std::atomic<uint32_t> one_in;  // Only each n-th.
  std::atomic<uint32_t> left;    // How often yet.
  std::atomic<uint32_t> port;    // Only where the peer has this port; 0 is any.
  std::atomic<uint32_t> seen;
  std::atomic<uint32_t> done;
};

constexpr size_t rules_max = 64;

struct Sheet {
  std::atomic<uint32_t> allocations_on;        // Whether they are counted.
  std::atomic<uint32_t> allocations;           // So many were.
  std::atomic<uint32_t> allocation_fails;      // The number of the one that fails; 0 is none.
  std::atomic<uint32_t> allocations_failed;    // So many did.
  std::atomic<uint32_t> allocation_bytes_min;  // Smaller ones are neither counted nor failed.
  std::atomic<uint32_t> unused[3];
  Rule rules[rules_max];
};

Sheet* sheet() {
  static Sheet* const mapped = []() -> Sheet* {
    const char* path = getenv("PEAL_FAULTS");
    if (path == nullptr) return nullptr;
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return nullptr;
    void* memory = mmap(nullptr, sizeof(Sheet), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? nullptr : static_cast<Sheet*>(memory);
  }();
  return mapped;
}

#define NEXT(name) \
  static const auto real = reinterpret_cast<decltype(&name)>(dlsym(RTLD_NEXT, #name))

uint32_t peer_port(int descriptor) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  return address.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port)
             : 0;
}

// Takes one of those that are left, so that a rule never acts once too often.
bool take_one(std::atomic<uint32_t>& left) {
  uint32_t now = left.load();
  while (now > 0 && !left.compare_exchange_weak(now, now - 1)) {
  }
  return now > 0;
}

Rule* rule_for(Operation operation, int descriptor) {
  Sheet* const all = sheet();
  if (all == nullptr) return nullptr;
  for (Rule& rule : all->rules) {
    if (rule.operation.load() != static_cast<uint32_t>(operation) || rule.left.load() == 0)
      continue;
    const uint32_t port = rule.port.load();
    if (port != 0 && port != peer_port(descriptor)) continue;
    const uint32_t one_in = rule.one_in.load();
    if (one_in > 1 && rule.seen.fetch_add(1) % one_in != one_in - 1) continue;
    if (!take_one(rule.left)) continue;
    rule.done.fetch_add(1);
    return &rule;
  }
  return nullptr;
}

Operation operation_of(const io_uring_sqe& entry) {
  switch (entry.opcode) {
    case IORING_OP_ACCEPT:
      return Operation::accept;
    case IORING_OP_RECV:
      return Operation::recv;
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
      return Operation::send;
    case IORING_OP_ASYNC_CANCEL:
      return Operation::cancel;
    case IORING_OP_MSG_RING:
      return Operation::wake;
    case IORING_OP_READ:
      return Operation::notify;
    default:
      return Operation::none;
  }
}

void fail(io_uring_sqe& entry, uint32_t error) {
  const uint64_t user_data = entry.user_data;
  const auto flags = static_cast<uint8_t>(entry.flags & IOSQE_CQE_SKIP_SUCCESS);
  entry = {};
  entry.opcode = IORING_OP_NOP;
  entry.flags = flags;
  entry.fd = -1;
  entry.len = static_cast<uint32_t>(-static_cast<int32_t>(error));
  entry.rw_flags = nop_inject_result;
  entry.user_data = user_data;
}

void shorten(io_uring_sqe& entry, uint32_t bytes) {
  if (entry.opcode == IORING_OP_SENDMSG) {
    auto* message = reinterpret_cast<msghdr*>(entry.addr);
    message->msg_iovlen = 1;
    if (message->msg_iov[0].iov_len > bytes) message->msg_iov[0].iov_len = bytes;
  } else if (entry.opcode == IORING_OP_SEND) {
    if (entry.len > bytes) entry.len = bytes;
  } else if (entry.opcode == IORING_OP_RECV) {
    entry.ioprio &= static_cast<uint16_t>(~IORING_RECV_MULTISHOT);
    entry.file_index = 0;  // The cap, which belongs to a multishot.
    entry.len = bytes;
  }
}

void end_after_one(io_uring_sqe& entry) {
  if (entry.opcode == IORING_OP_RECV) {
    entry.ioprio &= static_cast<uint16_t>(~IORING_RECV_MULTISHOT);
    entry.file_index = 0;
  } else if (entry.opcode == IORING_OP_ACCEPT) {
    entry.ioprio &= static_cast<uint16_t>(~IORING_ACCEPT_MULTISHOT);
  }
}

void rewrite(io_uring& ring) {
  if (sheet() == nullptr) return;
  io_uring_sq& queue = ring.sq;
  for (unsigned at = queue.sqe_head; at != queue.sqe_tail; at++) {
    io_uring_sqe& entry = queue.sqes[at & *queue.kring_mask];
    const Operation operation = operation_of(entry);
    if (operation == Operation::none) continue;
    const Rule* rule = rule_for(operation, entry.fd);
    if (rule == nullptr) continue;
    switch (static_cast<Act>(rule->act.load())) {
      case Act::none:
        break;
      case Act::fail:
        fail(entry, rule->value.load());
        break;
      case Act::shorten:
        shorten(entry, rule->value.load());
        break;
      case Act::one_shot:
        end_after_one(entry);
        break;
    }
  }
}

/// The error of a call that is to fail, or 0.
int refusal_of(Operation operation) {
  const Rule* rule = rule_for(operation, -1);
  if (rule == nullptr || rule->act.load() != static_cast<uint32_t>(Act::fail)) return 0;
  return -static_cast<int>(rule->value.load());
}

bool allocation_fails(size_t bytes) {
  Sheet* const all = sheet();
  if (all == nullptr || all->allocations_on.load(std::memory_order_relaxed) == 0) return false;
  if (bytes < all->allocation_bytes_min.load(std::memory_order_relaxed)) return false;
  if (all->allocations.fetch_add(1) + 1 != all->allocation_fails.load()) return false;
  all->allocations_failed.fetch_add(1);
  return true;
}

}  // namespace

// ---- liburing.

extern "C" {

int io_uring_submit(io_uring* ring) {
  NEXT(io_uring_submit);
  rewrite(*ring);
  if (const int error = refusal_of(Operation::enter)) return error;
  return real(ring);
}

int io_uring_submit_and_get_events(io_uring* ring) {
  NEXT(io_uring_submit_and_get_events);
  rewrite(*ring);
  if (const int error = refusal_of(Operation::enter)) return error;
  return real(ring);
}

int io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** first, unsigned count,
                                     __kernel_timespec* time, sigset_t* mask) {
  NEXT(io_uring_submit_and_wait_timeout);
  rewrite(*ring);
  if (const int error = refusal_of(Operation::enter)) return error;
  return real(ring, first, count, time, mask);
}

int io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params) {
  NEXT(io_uring_queue_init_params);
  if (const Rule* rule = rule_for(Operation::setup, -1)) {
    const uint32_t value = rule->value.load();
    if (rule->act.load() == static_cast<uint32_t>(Act::fail)) return -static_cast<int>(value);
    entries = value;
    params->cq_entries = value * 2;
  }
  return real(entries, ring, params);
}

int io_uring_register_buf_ring(io_uring* ring, io_uring_buf_reg* registration, unsigned flags) {
  NEXT(io_uring_register_buf_ring);
  if (const int error = refusal_of(Operation::buffers)) return error;
  return real(ring, registration, flags);
}

int io_uring_register_ring_fd(io_uring* ring) {
  NEXT(io_uring_register_ring_fd);
  if (const int error = refusal_of(Operation::ring_descriptor)) return error;
  return real(ring);
}

// ---- The allocator. The server's `new` asks it as well.

void* malloc(size_t bytes) {
  NEXT(malloc);
  if (allocation_fails(bytes)) return errno = ENOMEM, nullptr;
  return real(bytes);
}

void* calloc(size_t count, size_t bytes) {
  NEXT(calloc);
  if (allocation_fails(count * bytes)) return errno = ENOMEM, nullptr;
  return real(count, bytes);
}

void* realloc(void* memory, size_t bytes) {
  NEXT(realloc);
  if (allocation_fails(bytes)) return errno = ENOMEM, nullptr;
  return real(memory, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  NEXT(aligned_alloc);
  if (allocation_fails(bytes)) return errno = ENOMEM, nullptr;
  return real(alignment, bytes);
}

int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  NEXT(posix_memalign);
  if (allocation_fails(bytes)) return ENOMEM;
  return real(memory, alignment, bytes);
}

}  // extern "C"
