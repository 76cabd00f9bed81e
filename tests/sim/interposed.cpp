#include "tests/sim/interposed.hpp"

#include <cstddef>

#include "server/shard_link.hpp"
#include "tests/sim/world.hpp"

using peal::sim::World;

namespace peal::sim {
uint64_t blocks_refused() { return World::current().blocks_refused; }
}  // namespace peal::sim

extern "C" {

void* __real__ZN4peal4core18allocate_or_refuseEm(size_t bytes);
void* __wrap__ZN4peal4core18allocate_or_refuseEm(size_t bytes);
bool __real__ZNK4peal6server9ShardLink8has_newsEv(const peal::server::ShardLink* self);
bool __wrap__ZNK4peal6server9ShardLink8has_newsEv(const peal::server::ShardLink* self);

void* __wrap__ZN4peal4core18allocate_or_refuseEm(size_t bytes) {
  World* const world = World::current_or_null();
  if (world != nullptr && world->chance.percent(world->faults.no_memory)) {
    world->blocks_refused++;
    return nullptr;
  }
  return __real__ZN4peal4core18allocate_or_refuseEm(bytes);
}

bool __wrap__ZNK4peal6server9ShardLink8has_newsEv(const peal::server::ShardLink* self) {
  const bool news = __real__ZNK4peal6server9ShardLink8has_newsEv(self);
  World::current().preempt();
  return news;
}

}  // extern "C"
