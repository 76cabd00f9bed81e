#include "core/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>

namespace peal::core {

void* allocate_or_refuse(size_t bytes) { return std::malloc(bytes); }

void make_present(void* memory, size_t bytes) {
  constexpr uintptr_t page_bytes = 4096;
  const auto begin = reinterpret_cast<uintptr_t>(memory) & ~(page_bytes - 1);
  const auto end = reinterpret_cast<uintptr_t>(memory) + bytes;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
}

void end_out_of_memory() {
  std::fputs("out of memory: a small allocation failed; the server ends\n", stderr);
  std::_Exit(1);
}

}  // namespace peal::core
