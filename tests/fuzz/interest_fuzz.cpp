// Operations on the subject index from bytes, held against a plain list of filters. Every choice is
// one or two bytes of the input; what lies behind its end is zero.
#include <cstddef>
#include <cstdint>

#include "tests/support/interest_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  size_t at = 0;
  const auto next = [&]() -> uint32_t { return at < size ? data[at++] : 0; };
  const auto shards = static_cast<peal::server::ShardId>(1 + next() % 4);
  const uint64_t seed = next();
  peal::tests::InterestWorld world(shards, seed, [&](uint32_t bound) {
    return bound <= 256 ? next() % bound : (next() << 8 | next()) % bound;
  });
  while (at < size) world.step();  // What it throws ends the run.
  world.drain();
  world.close_all();
  return 0;
}
