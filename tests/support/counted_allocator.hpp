#pragma once
// For programs that count what they take from the allocator: every call of malloc(), calloc(),
// realloc(), aligned_alloc() and operator new is told to the program, then done. The build's
// dependency `counted_allocator` brings it.

namespace peal {

/// Which the program defines. In the thread that allocates, before it does; it may not throw.
void on_allocation() noexcept;

}  // namespace peal
