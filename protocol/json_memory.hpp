#pragma once
// Memory for the JSON library, which would go on with a null pointer where there is none. It knows
// `new`, and that this never comes back with nothing.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace peal::protocol {

/// In the shape, and with the names, that the library asks of an allocator.
struct JsonMemory {
  static constexpr bool kNeedFree = true;

  void* Malloc(size_t bytes) { return bytes == 0 ? nullptr : ::operator new(bytes); }
  void* Realloc(void* old, size_t old_bytes, size_t bytes) {
    void* const fresh = Malloc(bytes);
    if (old != nullptr && fresh != nullptr) std::memcpy(fresh, old, std::min(old_bytes, bytes));
    Free(old);
    return fresh;
  }
  static void Free(void* memory) { ::operator delete(memory); }
};

}  // namespace peal::protocol
