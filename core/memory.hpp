#pragma once
// What becomes of a small allocation that fails: the process says so in one line and ends, because
// no caller could do better with what is left. Large ones are asked for elsewhere, and may be
// refused. And how pages come behind what is large.

#include <cstddef>
#include <cstdlib>

namespace peal::core {

[[noreturn]] void end_out_of_memory();

/// Of what is large: nullptr when there is none, which the caller can bear.
void* allocate_or_refuse(size_t bytes);

/// Has the kernel put pages behind memory that is about to be written, all at once: half the price
/// of a fault for each. Does nothing where the kernel cannot (before 5.14).
void make_present(void* memory, size_t bytes);

inline void* allocate_or_end(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) end_out_of_memory();
  return memory;
}

}  // namespace peal::core
