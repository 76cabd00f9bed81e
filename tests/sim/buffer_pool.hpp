#pragma once
// The receive buffers of one reactor. A buffer that has been given back is overwritten, and under
// AddressSanitizer it may not be touched: a view that outlived its turn reads rubbish or stops the
// test, where a real kernel would fill it with somebody else's bytes some day.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define PEAL_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PEAL_SIM_ASAN 1
#endif
#endif
#ifdef PEAL_SIM_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace peal::sim {

class BufferPool {
 public:
  BufferPool(unsigned count, size_t bytes_each)
      : bytes_each_(bytes_each), count_(count), memory_(new char[count * bytes_each]) {
    for (unsigned i = 0; i < count; i++) {
      free_.push_back(i);
      hide(i);
    }
  }
  ~BufferPool() {
    for (unsigned i = 0; i < count_; i++) show(i, bytes_each_);
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  size_t bytes_each() const { return bytes_each_; }
  unsigned free_count() const { return static_cast<unsigned>(free_.size()); }
  unsigned count() const { return count_; }

  /// Fills a free buffer. The bytes end where the buffer's readable memory ends.
  uint32_t fill(std::string_view bytes) {
    assert(!free_.empty() && bytes.size() <= bytes_each_);
    // The one that was given back longest ago would hide a stale view for longest.
    const uint32_t index = free_.back();
    free_.pop_back();
    show(index, bytes.size());
    std::memcpy(at(index), bytes.data(), bytes.size());
    return index;
  }
  std::string_view view(uint32_t index, size_t bytes) const { return {at(index), bytes}; }
  /// Which of them an address lies in; count() when in none.
  uint32_t index_of(const char* address) const {
    const auto offset =
        reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(memory_.get());
    return offset < count_ * bytes_each_ ? static_cast<uint32_t>(offset / bytes_each_) : count_;
  }

  void give_back(uint32_t index, size_t bytes) {
    std::memset(at(index), stale, bytes);
    hide(index);
    free_.push_back(index);
  }

  static constexpr char stale = '\xDD';

 private:
  char* at(uint32_t index) const { return memory_.get() + index * bytes_each_; }

  void hide([[maybe_unused]] uint32_t index) {
#ifdef PEAL_SIM_ASAN
    ASAN_POISON_MEMORY_REGION(at(index), bytes_each_);
#endif
  }
  void show([[maybe_unused]] uint32_t index, [[maybe_unused]] size_t bytes) {
#ifdef PEAL_SIM_ASAN
    ASAN_UNPOISON_MEMORY_REGION(at(index), bytes);
#endif
  }

  const size_t bytes_each_;
  const unsigned count_;
  std::unique_ptr<char[]> memory_;
  std::vector<uint32_t> free_;
};

}  // namespace peal::sim
