#include "core/ring.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cerrno>

#include "core/clock.hpp"
#include "core/error_text.hpp"

namespace peal::core {
namespace {

constexpr unsigned submission_entries_min = 32;

std::string explain(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring: Peal needs Linux 6.1 or later";
    case EPERM:
    case EACCES:
      return "io_uring is forbidden here: set the sysctl kernel.io_uring_disabled to 0, or let the "
             "container's seccomp profile allow io_uring_setup, io_uring_enter and "
             "io_uring_register";
    case EINVAL:
      return "this kernel's io_uring is too old: Peal needs Linux 6.1 or later";
    case ENOMEM:
      return "no locked memory left for io_uring: raise the limit (ulimit -l, or LimitMEMLOCK= in "
             "the unit file) or use fewer threads";
    case EMFILE:
    case ENFILE:
      return "no file descriptor left for io_uring: raise the limit (ulimit -n, or LimitNOFILE= in "
             "the unit file)";
    default:
      return fmt::format("io_uring could not be set up: {}", error_text(error));
  }
}

}  // namespace

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

std::optional<std::string> Ring::open(unsigned submission_entries, unsigned completion_entries) {
  assert(!open_);
  for (;;) {
    io_uring_params params{};
    // SINGLE_ISSUER and DEFER_TASKRUN: the kernel works for this ring only when its thread enters,
    // so nothing interrupts parsing. SUBMIT_ALL: one bad entry does not hold up those behind it.
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = completion_entries;
    const int result = io_uring_queue_init_params(submission_entries, &ring_, &params);
    if (result == 0) break;
    if (result != -ENOMEM || submission_entries <= submission_entries_min) return explain(-result);
    submission_entries /= 2;
    completion_entries /= 2;
  }
  open_ = true;
  // Saves a reference count on each entry. Where it is refused, nothing is lost but that.
  io_uring_register_ring_fd(&ring_);
  return std::nullopt;
}

io_uring_sqe* Ring::entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    io_uring_submit(&ring_);
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

int Ring::enter(int64_t timeout_ns) {
  if (timeout_ns == 0) return io_uring_submit_and_get_events(&ring_);
  io_uring_cqe* first = nullptr;
  if (timeout_ns < 0) return io_uring_submit_and_wait_timeout(&ring_, &first, 1, nullptr, nullptr);
  __kernel_timespec timeout{timeout_ns / second_ns, timeout_ns % second_ns};
  return io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
}

}  // namespace peal::core
