#include "core/memory.hpp"

#include <cstdio>

namespace peal::core {

void end_out_of_memory(size_t bytes) {
  std::fprintf(stderr, "out of memory: %zu bytes could not be had; the server ends\n", bytes);
  std::_Exit(1);
}

}  // namespace peal::core
