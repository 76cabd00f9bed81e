#pragma once
// The real server in the world: whole shards, their mesh and what they share, as server.cpp puts
// them together, but for threads and sockets.

#include <memory>

#include "tests/sim/simulation.hpp"

namespace peal::sim {

std::unique_ptr<ServerUnderTest> make_peal_server(World& world, const Scenario& scenario);

}  // namespace peal::sim
