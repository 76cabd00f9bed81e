#include "core/memory.hpp"

#include <cstdio>

namespace peal::core {

void* allocate_or_refuse(size_t bytes) { return std::malloc(bytes); }

void end_out_of_memory() {
  std::fputs("out of memory: a small allocation failed; the server ends\n", stderr);
  std::_Exit(1);
}

}  // namespace peal::core
