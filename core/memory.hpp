#pragma once
// What becomes of a small allocation that fails: the process says so in one line and ends, because
// no caller could do better with what is left. Large ones are asked for elsewhere, and may be
// refused.

#include <cstddef>
#include <cstdlib>

namespace peal::core {

[[noreturn]] void end_out_of_memory();

/// Of what is large: nullptr when there is none, which the caller can bear.
void* allocate_or_refuse(size_t bytes);

inline void* allocate_or_end(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) end_out_of_memory();
  return memory;
}

}  // namespace peal::core
