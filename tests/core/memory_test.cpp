#include "core/memory.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cerrno>
#include <vector>

namespace peal::core {
namespace {

constexpr size_t page_bytes = 4096;
constexpr size_t pages = 16;

TEST_CASE("memory: all pages that a part lies in are there, and no other") {
  auto* const memory = static_cast<char*>(mmap(nullptr, pages * page_bytes, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  if (madvise(memory, page_bytes, MADV_POPULATE_WRITE) != 0 && errno == EINVAL) {
    MESSAGE("skipped: the kernel cannot do so (before 5.14)");
    munmap(memory, pages * page_bytes);
    return;
  }
  memory[0] = 'x';
  make_present(memory + 3 * page_bytes + 100, 4 * page_bytes);
  std::vector<unsigned char> there(pages);
  REQUIRE(mincore(memory, pages * page_bytes, there.data()) == 0);
  for (size_t page = 0; page < pages; page++) {
    CAPTURE(page);
    CHECK((there[page] & 1) == (page == 0 || (page >= 3 && page <= 7)));
  }
  CHECK(memory[0] == 'x');
  munmap(memory, pages * page_bytes);
}

}  // namespace
}  // namespace peal::core
