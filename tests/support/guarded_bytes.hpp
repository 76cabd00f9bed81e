#pragma once
// Bytes whose end is the end of readable memory: whoever reads one past them dies at once, in any
// build. It knows pages, and nothing of what is put there.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace peal::test {

class GuardedBytes {
 public:
  explicit GuardedBytes(size_t capacity_bytes) {
    const size_t page_bytes = size_t(sysconf(_SC_PAGESIZE));
    usable_bytes_ = (capacity_bytes + page_bytes - 1) / page_bytes * page_bytes;
    mapped_bytes_ = usable_bytes_ + page_bytes;
    void* const memory =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    memory_ = static_cast<char*>(memory);
    if (mprotect(memory_ + usable_bytes_, page_bytes, PROT_NONE) != 0) std::abort();
  }
  ~GuardedBytes() { munmap(memory_, mapped_bytes_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  /// A copy of the bytes that ends where memory ends. The copy before it is gone.
  std::string_view place(std::string_view bytes) {
    if (bytes.size() > usable_bytes_) std::abort();
    char* const at = memory_ + usable_bytes_ - bytes.size();
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return {at, bytes.size()};
  }

 private:
  char* memory_;
  size_t usable_bytes_;
  size_t mapped_bytes_;
};

}  // namespace peal::test
