#include "core/same_bytes.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/guarded_bytes.hpp"

namespace peal::core {
namespace {

// Goal: two texts are the same when all their bytes are, and nothing outside of them is read.
// Method: all lengths beyond each way of comparing, every byte changed in turn, at the end of
// readable memory.
TEST_CASE("same bytes: two texts are the same exactly when all their bytes are") {
  test::GuardedBytes memory(256);
  for (size_t bytes = 0; bytes <= 130; bytes++) {
    CAPTURE(bytes);
    std::string text(bytes, '\0');
    for (size_t at = 0; at < bytes; at++) text[at] = static_cast<char>(at * 7);
    CHECK(same_bytes(text, memory.place(text)));
    CHECK(!same_bytes(text + "x", memory.place(text)));
    for (size_t at = 0; at < bytes; at++) {
      for (const char bit : {'\x01', '\x80'}) {
        std::string other = text;
        other[at] = static_cast<char>(other[at] ^ bit);
        if (same_bytes(text, memory.place(other))) FAIL("byte " << at << " was not looked at");
      }
    }
  }
}

}  // namespace
}  // namespace peal::core
