// What mimalloc is told about the server. Part of the executable alone: sanitizers bring an
// allocator of their own.

#include <mimalloc.h>

namespace {

#if MI_MALLOC_VERSION >= 210
constexpr mi_option_t free_memory_kept = mi_option_purge_delay;
#else
constexpr mi_option_t free_memory_kept = mi_option_decommit_delay;
#endif

// What slow clients had waiting is soon wanted for the next of them. Given back to the kernel after
// 10 or 25 ms, as is usual, it is paid for with page faults: half of the processor time in a server
// that has many such clients. The environment's MIMALLOC_DECOMMIT_DELAY (or _PURGE_DELAY) goes
// before this.
constexpr long free_memory_kept_ms = 1000;

[[gnu::constructor]] void tell_allocator() {
  mi_option_set_default(free_memory_kept, free_memory_kept_ms);
}

}  // namespace
