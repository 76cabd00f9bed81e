#include "tests/support/counted_allocator.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

extern "C" {
void* __real_malloc(size_t bytes);
void* __real_calloc(size_t items, size_t bytes);
void* __real_realloc(void* memory, size_t bytes);
void* __real_aligned_alloc(size_t alignment, size_t bytes);

void* __wrap_malloc(size_t bytes) {
  peal::on_allocation();
  return __real_malloc(bytes);
}
void* __wrap_calloc(size_t items, size_t bytes) {
  peal::on_allocation();
  return __real_calloc(items, bytes);
}
void* __wrap_realloc(void* memory, size_t bytes) {
  peal::on_allocation();
  return __real_realloc(memory, bytes);
}
void* __wrap_aligned_alloc(size_t alignment, size_t bytes) {
  peal::on_allocation();
  return __real_aligned_alloc(alignment, bytes);
}
}

// Out of line, or the compiler sees a free() of what came from new, and says so.
[[gnu::noinline]] void* operator new(size_t bytes) {
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  if (void* const memory = std::aligned_alloc(align, (bytes + align - 1) & ~(align - 1))) {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
