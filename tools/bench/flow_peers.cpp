#include "tools/bench/flow_peers.hpp"

#include <fmt/format.h>

#include "tools/bench/clock.hpp"

namespace peal::bench {
namespace {

constexpr size_t receive_bytes = 256 << 10;
constexpr size_t receive_bytes_of_many = 32 << 10;
constexpr size_t publisher_receive_bytes = 4 << 10;

SubscriberPlan subscriber_plan(const Options& options, const FlowPlan& flow,
                               const Subjects& subjects, uint32_t index) {
  SubscriberPlan plan;
  plan.listening = flow.listening;
  plan.filters = subjects.filters(index);
  plan.queue = options.queue;
  plan.streams = flow.listening == Listening::check ? options.publishers : 0;
  if (!flow.publishes) return plan;  // Who knows what others publish.

  const MessageShape shape{.subject = subjects.subject(options.pairs ? index : 0, 0),
                           .reply = {},
                           .payload_bytes = options.size_bytes,
                           .headers = options.headers,
                           .binary = options.binary};
  ExpectedMessage& expected = plan.expected;
  expected.subject_bytes = shape.subject.size();
  expected.subject_start = shape.subject;
  if (subjects.has_leaves()) {
    expected.subject_start.resize(shape.subject.size() - leaf_digits);
  }
  expected.headers = header_block(shape.headers);
  expected.message_bytes = expected.headers.size() + shape.payload_bytes;
  if (!options.binary) {
    expected.frame_bytes = msg_bytes(shape, plan.filters.size() == 1 ? 1 : 7);
  } else if (plan.filters.front().find('*') == std::string::npos) {
    expected.subject_start.clear();  // The subscription says it.
    expected.subject_bytes = 0;
  }
  return plan;
}

}  // namespace

std::optional<std::string> FlowPeers::open(const Options& options, const FlowPlan& plan,
                                           const Subjects& subjects,
                                           const PublisherPlan& publisher_plan,
                                           const RunControl& control) {
  auto resolved = resolve(options.servers, options.tls, options.binary);
  if (auto* error = std::get_if<std::string>(&resolved)) return *error;
  const auto& servers = std::get<std::vector<Server>>(resolved);
  const uint32_t subscriber_count = plan.subscribes ? options.subscribers : 0;
  const uint32_t publisher_count = plan.publishes ? options.publishers : 0;
  const size_t receive =
      subscriber_count > many_connections ? receive_bytes_of_many : receive_bytes;
  for (uint32_t i = 0; i < subscriber_count && !control.stopping(); i++) {
    auto link = dial(servers[i % servers.size()], receive);
    if (auto* error = std::get_if<std::string>(&link)) return *error;
    subscribers.push_back(std::make_unique<Subscriber>(
        std::get<Link>(std::move(link)), subscriber_plan(options, plan, subjects, i), i));
    if (auto error = subscribers.back()->subscribe()) {
      return fmt::format("subscriber {}: {}", i, *error);
    }
  }
  const size_t message_bytes = header_block(options.headers).size() + options.size_bytes;
  for (uint32_t i = 0; i < publisher_count && !control.stopping(); i++) {
    // Not the server of its pair, if there are several: the way between them is to be measured.
    auto link = dial(servers[(i + 1) % servers.size()], publisher_receive_bytes);
    if (auto* error = std::get_if<std::string>(&link)) return *error;
    if (auto error = check_payload(std::get<Link>(link), message_bytes)) return error;
    publishers.push_back(
        std::make_unique<Publisher>(std::get<Link>(std::move(link)), publisher_plan, i));
  }
  if (control.stopping()) return "interrupted";
  server = shown_server(
      (publishers.empty() ? subscribers[0]->link() : publishers[0]->link()).replies().info());
  // Servers tell each other of new subscriptions in their own time.
  if (servers.size() > 1) sleep_until(now_ns() + second_ns / 2);
  return {};
}

}  // namespace peal::bench
