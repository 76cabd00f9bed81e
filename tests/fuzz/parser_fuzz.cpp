// Any bytes at all through the parser. The oracle: whole, byte by byte, and in pieces of another
// length, they come to the same commands and the same refusal; CommandLog adds the contract of
// parser.hpp, and memory that ends where the input does.
// How an input is read: parser_input.hpp.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/parser_input.hpp"
#include "tests/support/command_log.hpp"
#include "tests/support/guarded_bytes.hpp"

using peal::fuzz::ParserInput;
using peal::test::CommandLog;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!ParserInput::usable(size)) return 0;
  const ParserInput input(data, size);
  static peal::test::GuardedBytes memory(ParserInput::stream_bytes_max);
  const auto parse = [&](size_t read_bytes) {
    return input.text_of(CommandLog(memory, input.limits, input.headers), read_bytes);
  };
  const auto whole = parse(ParserInput::stream_bytes_max);
  if (parse(1) != whole || parse(input.piece_bytes) != whole) std::abort();
  return 0;
}
