#pragma once
// The publishers and subscribers of a flow, connected and subscribed. It knows how many there are,
// where they connect, and what each should hear; when they begin it must never know.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/flow.hpp"
#include "tools/bench/publisher.hpp"
#include "tools/bench/subscriber.hpp"

namespace peal::bench {

/// Of this many connections on, each has smaller buffers.
inline constexpr uint32_t many_connections = 64;

struct FlowPeers {
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  std::vector<std::unique_ptr<Publisher>> publishers;
  std::string server;  // As it calls itself.

  /// Subscribers first, so that nothing is published before it can be heard. What is passed must
  /// outlive the peers. The error is one sentence.
  std::optional<std::string> open(const Options& options, const FlowPlan& plan,
                                  const Subjects& subjects, const PublisherPlan& publisher_plan,
                                  const RunControl& control);
};

}  // namespace peal::bench
