// Scenarios about streams of messages: their order, their bytes, and that none is missing.

#include <sys/resource.h>

#include "scenario.hpp"

#include <algorithm>

namespace hammer {

namespace {

constexpr int publishers_count = 6;
constexpr uint64_t window_messages = 5000;  // Keeps a busy machine's subscribers from being slow.

// Payload: publisher, number, the CRC of the rest, and the rest.
std::string make_payload(int publisher, uint64_t number, Chance& chance) {
  const uint64_t kind = chance.below(1000);
  const size_t bytes = chance.below(kind == 0 ? 100'000 : kind < 20 ? 5000 : 200);
  std::string rest(bytes, '\0');
  const uint64_t noise = chance.next();
  for (size_t at = 0; at < bytes; at++) rest[at] = char(noise >> at % 57);
  return text("%d %llu %u ", publisher, static_cast<unsigned long long>(number), crc32(rest)) +
         rest;
}

struct Stream {
  std::vector<uint64_t> next = std::vector<uint64_t>(publishers_count, 0);
};

struct Parsed {
  int publisher;
  uint64_t number;
};

Parsed check_payload(const Message& message) {
  const std::string head(message.payload.substr(0, 40));
  char* rest = nullptr;
  const int publisher = int(strtol(head.c_str(), &rest, 10));
  const uint64_t number = strtoull(rest, &rest, 10);
  const uint32_t crc = uint32_t(strtoul(rest, &rest, 10));
  const size_t body_begin = size_t(rest - head.c_str()) + 1;
  check(body_begin <= message.payload.size(), "a payload cut short");
  check(crc32(message.payload.substr(body_begin)) == crc, "a payload with other bytes");
  check(publisher >= 0 && publisher < publishers_count, "a payload from nobody");
  return {publisher, number};
}

}  // namespace

// Goal: each subscription sees each publisher's messages in the order published, none missing, none
// twice, bytes intact.
// Method: three kinds of filters on every subscriber; message n goes to subject n % 3, so what a
// filter must see is known.
std::string order(Scene& scene) {
  constexpr int subscribers_count = 4;
  const uint64_t each = uint64_t(scene.scaled(20'000));
  std::vector<std::atomic<uint64_t>> progress(subscribers_count);
  std::atomic<uint64_t> published = 0;
  Crew crew(scene);
  for (size_t id = 0; id < subscribers_count; id++) {
    auto client = std::make_shared<Client>(scene);
    client->subscribe("order.>", 1);
    client->subscribe("order.*.1", 2);
    client->subscribe(text("order.%zu.2", id), 3);
    client->fence();
    crew.add([&progress, client, id, each] {
      Stream all, ones;
      ones.next.assign(publishers_count, 1);
      uint64_t twos = 2, left_all = each * publishers_count;
      uint64_t left = left_all + (each + 1) / 3 * publishers_count + each / 3;
      while (left > 0) {
        const Message message = client->expect_message(20);
        const Parsed parsed = check_payload(message);
        const auto who = size_t(parsed.publisher);
        uint64_t& next = message.sid == "1"   ? all.next[who]
                         : message.sid == "2" ? ones.next[who]
                                              : twos;
        if (parsed.number != next) {
          fail(text("publisher %d: %llu came where %llu was due", parsed.publisher,
                    static_cast<unsigned long long>(parsed.number),
                    static_cast<unsigned long long>(next)));
        }
        next += message.sid == "1" ? 1 : 3;
        if (message.sid == "1") progress[id]++;
        left--;
      }
      client->fence();
    });
  }
  const Stopwatch watch;
  for (int id = 0; id < publishers_count; id++) {
    crew.add([&scene, &progress, &published, id, each] {
      Chance chance(scene.seed + uint64_t(id));
      Client client(scene);
      for (uint64_t number = 0; number < each; number++) {
        client.publish(text("order.%d.%d", id, int(number % 3)), make_payload(id, number, chance));
        if (chance.one_in(20)) client.flush();
        published++;
        for (const auto& seen : progress) {
          while (published > seen + window_messages) {
            client.flush();
            scene.check_time("waiting for subscribers");
            std::this_thread::sleep_for(std::chrono::microseconds(200));
          }
        }
      }
      client.fence();
    });
  }
  crew.join();
  const double total = double(each) * publishers_count;
  return text("%.0f messages to %d connections with 3 filters each, %.0f/s", total,
              subscribers_count, total / watch.seconds());
}

namespace {

int sockets_allowed(int wanted) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return std::min(wanted, int(files.rlim_cur) - 100);
}

}  // namespace

// Goal: many publishers to one subscriber lose nothing, and keep their order each.
std::string fan_in(Scene& scene) {
  const int count = sockets_allowed(1000);
  const int rounds = scene.scaled(100);
  Client subscriber(scene);
  subscriber.subscribe("fanin.*", 1);
  subscriber.fence();
  const Clients publishers = connect_many(scene, count);
  std::vector<int> next(size_t(count), 0);
  int64_t seen = 0;
  const auto note = [&](const Message& message) {
    const int who = int(strtol(std::string(message.subject.substr(6)).c_str(), nullptr, 10));
    const int number = int(strtol(std::string(message.payload).c_str(), nullptr, 10));
    check(who < count && next[size_t(who)] == number, "a message out of order, or twice");
    next[size_t(who)]++;
    seen++;
  };
  const Stopwatch watch;
  for (int round = 0; round < rounds; round++) {
    for (int at = 0; at < count; at++) {
      publishers[size_t(at)]->publish(text("fanin.%d", at), std::to_string(round));
      publishers[size_t(at)]->flush();
    }
    subscriber.fence(note);
    scene.check_time("fanning in");
  }
  for (const auto& publisher : publishers) publisher->fence();
  subscriber.fence(note);
  const int64_t total = int64_t(count) * rounds;
  if (seen != total) {
    fail(
        text("%lld of %lld messages", static_cast<long long>(seen), static_cast<long long>(total)));
  }
  return text("%lld messages of %d publishers, %.0f/s", static_cast<long long>(total), count,
              double(total) / watch.seconds());
}

// Goal: a few bytes on each of thousands of sockets at once are all read, although a server has
// fewer receive buffers than sockets.
// Method: a message in two pieces, the first pieces on all sockets before any second one.
std::string tiny_storm(Scene& scene) {
  const int count = sockets_allowed(scene.sockets);
  const int rounds = scene.scaled(10);
  Client subscriber(scene);
  subscriber.subscribe("storm.*", 1);
  subscriber.fence();
  const Stopwatch connecting;
  const Clients sockets = connect_many(scene, count);
  const double connecting_s = connecting.seconds();
  const Stopwatch watch;
  for (int round = 0; round < rounds; round++) {
    for (int at = 0; at < count; at++) sockets[size_t(at)]->publish(text("storm.%d", at), "xy");
    for (const auto& socket : sockets) socket->flush_some(9);
    for (const auto& socket : sockets) socket->flush();
    std::vector<bool> seen(size_t(count), false);
    for (int left = count; left > 0; left--) {
      const Message message = subscriber.expect_message();
      const int who = int(strtol(std::string(message.subject.substr(6)).c_str(), nullptr, 10));
      check(who < count && !seen[size_t(who)], "a message twice");
      seen[size_t(who)] = true;
    }
    scene.check_time("storming");
  }
  subscriber.fence();
  return text("%d sockets (%.0f connects/s), %d rounds, %.0f messages/s", count,
              count / connecting_s, rounds, double(count) * rounds / watch.seconds());
}

}  // namespace hammer
