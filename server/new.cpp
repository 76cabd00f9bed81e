// What `new` does in the server: memory, or the end in one sentence, whichever allocator is linked.
// mimalloc as Debian builds it knows no handler and aborts. Part of the executable alone, so that
// tests may have a `new` that counts.

#include <cstdlib>
#include <new>

#include "core/memory.hpp"

void* operator new(size_t bytes) { return peal::core::allocate_or_end(bytes != 0 ? bytes : 1); }
void* operator new[](size_t bytes) { return operator new(bytes); }

void* operator new(size_t bytes, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (memory == nullptr) peal::core::end_out_of_memory();
  return memory;
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return operator new(bytes, alignment);
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
