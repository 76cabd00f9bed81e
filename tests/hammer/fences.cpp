// Scenarios about what a PONG promises, and what holds without one.

#include "scenario.hpp"

namespace hammer {

// Goal: when a subscriber has read the PONG after its SUB, whatever anybody publishes from then on
// reaches it.
// Method: a new subject each time, filters of three kinds, and pairs of connections by chance.
std::string sub_flush_pub(Scene& scene) {
  constexpr int crews = 2, connections = 6;
  const int rounds = scene.scaled(10'000);
  const Stopwatch watch;
  Crew crew(scene);
  for (int id = 0; id < crews; id++) {
    crew.add([&scene, id, rounds] {
      Chance chance(scene.seed + uint64_t(id));
      Clients subscribers = connect_many(scene, connections);
      Clients publishers = connect_many(scene, connections);
      for (int round = 0; round < rounds; round++) {
        Client& subscriber = *subscribers[chance.below(connections)];
        Client& publisher = *publishers[chance.below(connections)];
        const std::string subject =
            text("sfp.%llu.%d.%d.x", static_cast<unsigned long long>(scene.seed), id, round);
        const std::string front = subject.substr(0, subject.size() - 1);
        const uint64_t kind = chance.below(4);
        const std::string filter = kind == 1 ? front + "*" : kind == 2 ? front + ">" : subject;
        subscriber.subscribe(filter, uint64_t(round) + 1, kind == 3 ? "q" : "");
        subscriber.fence();
        publisher.publish(subject, std::to_string(round));
        publisher.flush();
        const Message message = subscriber.expect_message();
        check(message.subject == subject, "another message than was published");
        check(message.payload == std::to_string(round), "another payload than was published");
        subscriber.unsubscribe(uint64_t(round) + 1);
      }
      for (const auto& subscriber : subscribers) subscriber->fence();
    });
  }
  crew.join();
  return text("%d rounds, %.0f/s", rounds * crews, rounds * crews / watch.seconds());
}

// Goal: what a publisher sent before its PONG is in front of any PONG that a subscriber asks for
// after that.
// Method: bursts of many sizes; then all subscribers count at their PONG, and must not miss one.
std::string flush_flush_count(Scene& scene) {
  constexpr int publishers_count = 5, subscribers_count = 5;
  const int rounds = scene.scaled(3000);
  Chance chance(scene.seed);
  Clients publishers = connect_many(scene, publishers_count);
  Clients subscribers = connect_many(scene, subscribers_count);
  const std::string front = text("ffc.%llu", static_cast<unsigned long long>(scene.seed));
  for (const auto& subscriber : subscribers) {
    subscriber->subscribe(front + ".*", 1);
    subscriber->fence();
  }
  const std::string large(5000, 'x');
  const Stopwatch watch;
  int64_t delivered = 0;
  for (int round = 0; round < rounds; round++) {
    Client& publisher = *publishers[chance.below(publishers_count)];
    const int burst = 1 + int(chance.below(chance.one_in(10) ? 400 : 20));
    const size_t payload_bytes = chance.below(chance.one_in(20) ? large.size() : 100);
    for (int at = 0; at < burst; at++) {
      publisher.publish(front + "." + std::to_string(at % 7), large.substr(0, payload_bytes));
    }
    publisher.fence();
    for (const auto& subscriber : subscribers) {
      int seen = 0;
      subscriber->fence([&](const Message&) { seen++; });
      if (seen != burst) fail(text("round %d: %d of %d at the PONG", round, seen, burst));
      delivered += seen;
    }
  }
  return text("%d rounds, %lld deliveries, %.0f rounds/s", rounds,
              static_cast<long long>(delivered), rounds / watch.seconds());
}

namespace {

// One link of the chain: passes requests on, with the reply that they came with.
void serve(Scene& scene, std::unique_ptr<Client> client, const std::string& next,
           const std::atomic<bool>& done) {
  Message message;
  while (!done) {
    const Event event = client->next(message, 0.05);
    if (event == Event::timeout) continue;
    if (event != Event::message) client->refuse(event);
    do {
      client->publish(next.empty() ? message.reply : next, message.payload,
                      next.empty() ? std::string_view{} : message.reply);
    } while (client->next_here(message) == Event::message);
    client->flush();
    scene.check_time("serving");
  }
}

// Requests with an inbox of their own each, `window` of them in one write.
void request(Scene& scene, int id, int requests, int window) {
  Client client(scene, {.no_responders = true});
  uint64_t sid = 1;
  for (int sent = 0; sent < requests; sent += window) {
    for (int at = 0; at < window; at++) {
      const std::string inbox = text("cau.inbox.%d.%llu", id, static_cast<unsigned long long>(sid));
      client.subscribe(inbox, sid);
      client.unsubscribe(sid, 1);
      client.publish("cau.link0", std::to_string(sid), inbox);
      sid++;
    }
    client.flush();
    std::vector<bool> answered(size_t(window), false);
    for (int at = 0; at < window; at++) {
      const Message message = client.expect_message();
      check(message.headers.empty(), "a 503, although the services are there");
      check(message.subject.ends_with(message.payload), "a reply to another request");
      const uint64_t number = strtoull(std::string(message.payload).c_str(), nullptr, 10);
      const uint64_t place = number - (sid - uint64_t(window));
      check(place < answered.size() && !answered[place], "a second reply to a request");
      answered[place] = true;
    }
  }
  client.fence();
}

}  // namespace

// Goal: SUB on an inbox, then PUB of a request, with no PING between them: the reply finds the
// inbox, through however many services on however many cores it came.
std::string causality(Scene& scene) {
  constexpr int links = 4, requesters = 2;
  const int requests = scene.scaled(6000);
  std::atomic<bool> done = false;
  Crew services(scene);
  for (int link = 0; link < links; link++) {
    auto client = std::make_unique<Client>(scene);
    client->subscribe(text("cau.link%d", link), 1, link % 2 == 0 ? "" : "workers");
    client->fence();
    const std::string next = link + 1 < links ? text("cau.link%d", link + 1) : "";
    services.add([&scene, &done, next,
                  client = std::make_shared<std::unique_ptr<Client>>(std::move(client))] {
      serve(scene, std::move(*client), next, done);
    });
  }
  const Stopwatch watch;
  Crew crew(scene);
  for (int id = 0; id < requesters; id++) {
    crew.add([&scene, id, requests] {
      request(scene, 2 * id, requests / 2, 1);
      request(scene, 2 * id + 1, requests / 2, 16);
    });
  }
  crew.join();
  done = true;
  services.join();
  return text("%d requests through %d services, %.0f/s", requests * requesters, links,
              requests * requesters / watch.seconds());
}

}  // namespace hammer
