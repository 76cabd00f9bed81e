// Scenarios about connections and services that come and go while others work.

#include "scenario.hpp"

#include <algorithm>

namespace hammer {

namespace {

// Subscribes to a thousand subjects in a write or two, and resets, often before all is read.
void storm(Scene& scene, uint64_t seed, const std::atomic<bool>& done,
           std::atomic<uint64_t>& resets) {
  Chance chance(seed);
  while (!done) {
    Client client(scene);
    const uint64_t count = 1 + chance.below(1000);
    for (uint64_t sid = 1; sid <= count; sid++) {
      const std::string tail = chance.one_in(3) ? "*" : std::to_string(chance.below(50));
      client.subscribe("storm." + std::to_string(chance.below(50)) + "." + tail, sid,
                       chance.one_in(4) ? "q" : "");
    }
    if (chance.one_in(2)) client.raw("PUB storm.1.2 100\r\nhalf");
    client.flush();
    if (chance.one_in(2)) {
      Message message;
      client.next(message, 0.01);
    }
    client.reset();
    resets++;
  }
}

void publish_into_storm(Scene& scene, uint64_t seed, const std::atomic<bool>& done,
                        std::atomic<uint64_t>& sent) {
  Chance chance(seed);
  Client client(scene);
  while (!done) {
    for (int at = 0; at < 50; at++) {
      client.publish(text("storm.%d.%d", int(chance.below(50)), int(chance.below(50))), "hello");
      sent++;
    }
    client.fence();
  }
}

double part(std::vector<double>& sorted, double share) {
  return sorted[size_t(double(sorted.size() - 1) * share)];
}

}  // namespace

// Goal: connections with many subscriptions that are reset while others publish into them harm
// nobody: a bystander's PING is answered, its messages arrive, the server lives.
std::string close_storm(Scene& scene) {
  constexpr double pong_s_max = 3;
  const double secs = 4 * scene.scale;
  std::atomic<bool> done = false;
  std::atomic<uint64_t> resets = 0, sent = 0;
  Client bystander(scene);
  bystander.subscribe("bystander", 1);
  bystander.fence();
  Crew crew(scene);
  for (uint64_t id = 0; id < 3; id++) {
    crew.add([&, id] { storm(scene, scene.seed + id, done, resets); });
  }
  for (uint64_t id = 0; id < 2; id++) {
    crew.add([&, id] { publish_into_storm(scene, scene.seed + 10 + id, done, sent); });
  }
  std::vector<double> pong_ms;
  const Stopwatch watch;
  while (watch.seconds() < secs && !scene.failed) {
    const Stopwatch trip;
    bystander.publish("bystander", "x");
    int seen = 0;
    bystander.fence([&](const Message&) { seen++; }, pong_s_max);
    check(seen == 1, "the bystander's own message did not come");
    pong_ms.push_back(trip.seconds() * 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // A beat, not a flood.
  }
  done = true;
  crew.join();
  bystander.fence();
  std::sort(pong_ms.begin(), pong_ms.end());
  return text("%llu resets, %llu messages; PONG p50 %.1f ms, p99 %.1f ms, max %.1f ms",
              static_cast<unsigned long long>(resets.load()),
              static_cast<unsigned long long>(sent.load()), part(pong_ms, 0.5), part(pong_ms, 0.99),
              pong_ms.back());
}

namespace {

// Answers all it gets, and leaves politely: after UNSUB it reads, and answers, to the PONG.
void serve_and_leave(Scene& scene, uint64_t seed, const std::atomic<bool>& done) {
  Chance chance(seed);
  Client client(scene);
  const auto answer = [&](const Message& message) { client.publish(message.reply, "yes"); };
  for (uint64_t sid = 1; !done; sid++) {
    client.subscribe("service", sid, "q");
    client.flush();
    Message message;
    for (uint64_t wanted = chance.below(20); wanted > 0 && !done; wanted--) {
      if (client.next(message, 0.002) != Event::message) continue;
      do {
        answer(message);
      } while (client.next_here(message) == Event::message);
      client.flush();
    }
    client.unsubscribe(sid);
    client.fence(answer);
    client.flush();
    if (chance.one_in(3)) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  client.fence(answer);
  client.flush();
}

struct Answers {
  std::atomic<uint64_t> replies = 0, refusals = 0;
};

void ask(Scene& scene, uint64_t id, int requests, Answers& answers) {
  Client client(scene, {.no_responders = true});
  const std::string inbox = text("inbox.%d.", int(id));
  client.subscribe(inbox + "*", 1);
  for (int number = 0; number < requests; number++) {
    const std::string reply = inbox + std::to_string(number);
    client.publish("service", "?", reply);
    client.flush();
    const Message message = client.expect_message();
    check(message.subject == reply, "a second answer to a request before");
    const bool refused = message.headers.starts_with("NATS/1.0 503");
    check(refused || message.payload == "yes", "an answer that nobody gave");
    (refused ? answers.refusals : answers.replies)++;
  }
  client.fence();
}

}  // namespace

// Goal: every request gets an answer while services come and go: the service's, or a 503; and one
// only.
std::string no_responders(Scene& scene) {
  constexpr int services = 2, askers = 2;
  const int requests = scene.scaled(15'000);
  std::atomic<bool> done = false;
  Answers answers;
  Crew coming_and_going(scene), asking(scene);
  for (uint64_t id = 0; id < services; id++) {
    coming_and_going.add([&, id] { serve_and_leave(scene, scene.seed + id, done); });
  }
  for (uint64_t id = 0; id < askers; id++) {
    asking.add([&, id] { ask(scene, id, requests, answers); });
  }
  const auto stop = [&] { done = true; };
  try {
    asking.join();
  } catch (...) {
    stop();
    throw;
  }
  stop();
  coming_and_going.join();
  check(answers.replies > 0 && answers.refusals > 0, "services never came, or never went");
  return text("%d requests: %llu replies, %llu times 503", requests * askers,
              static_cast<unsigned long long>(answers.replies.load()),
              static_cast<unsigned long long>(answers.refusals.load()));
}

}  // namespace hammer
