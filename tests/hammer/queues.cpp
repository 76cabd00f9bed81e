// Scenarios about counts that must be exact: auto-unsubscribe, and queue groups that share.

#include <math.h>

#include "scenario.hpp"

#include <algorithm>

namespace hammer {

namespace {

constexpr double surplus_patience_s = 10;

uint64_t id_of(std::string_view payload) {
  return strtoull(std::string(payload).c_str(), nullptr, 10);
}

// Every publisher sends its part of the burst before any waits for its PONG, so that they meet.
void publish_by_all(const Clients& publishers, const std::string& subject, int each) {
  for (const auto& publisher : publishers) {
    for (int at = 0; at < each; at++) publisher->publish(subject, "x");
    publisher->flush();
  }
  for (const auto& publisher : publishers) publisher->fence();
}

void one_subscriber(const Clients& publishers, Client& subscriber, int round, Chance& chance) {
  const uint64_t messages_max = 1 + chance.below(40), sid = uint64_t(round) + 1;
  const int each = 1 + int(chance.below(15));
  const std::string subject = text("aue.one.%d", round);
  subscriber.subscribe(subject, sid);
  subscriber.unsubscribe(sid, messages_max);
  subscriber.fence();
  publish_by_all(publishers, subject, each);
  uint64_t seen = 0;
  subscriber.fence([&](const Message&) { seen++; });
  const uint64_t sent = uint64_t(each) * publishers.size();
  const uint64_t expected = std::min(messages_max, sent);
  if (seen != expected) {
    fail(text("round %d: %llu messages, not %llu, of %llu sent", round,
              static_cast<unsigned long long>(seen), static_cast<unsigned long long>(expected),
              static_cast<unsigned long long>(sent)));
  }
  subscriber.unsubscribe(sid);
}

// A member that is done leaves its share to the others, which may arrive behind a PONG. So what is
// awaited is the count; what must not come after it is looked for with a fence.
void queue_members(const Clients& publishers, const Clients& members, int round, Chance& chance) {
  const std::string subject = text("aue.queue.%d", round);
  const uint64_t sid = uint64_t(round) + 1;
  std::vector<uint64_t> messages_max, seen(members.size(), 0);
  uint64_t room = 0;
  for (const auto& member : members) {
    messages_max.push_back(1 + chance.below(15));
    room += messages_max.back();
    member->subscribe(subject, sid, "q");
    member->unsubscribe(sid, messages_max.back());
    member->fence();
  }
  const int each = 1 + int(chance.below(10));
  publish_by_all(publishers, subject, each);
  const uint64_t expected = std::min(room, uint64_t(each) * publishers.size());

  const Stopwatch watch;
  uint64_t total = 0;
  while (true) {
    for (size_t at = 0; at < members.size(); at++) {
      members[at]->fence([&](const Message&) { seen[at]++, total++; });
    }
    if (total >= expected) break;
    if (watch.seconds() > surplus_patience_s) {
      fail(text("round %d: %llu messages to all members, not %llu", round,
                static_cast<unsigned long long>(total), static_cast<unsigned long long>(expected)));
    }
  }
  for (size_t at = 0; at < members.size(); at++) {
    members[at]->unsubscribe(sid);
    members[at]->fence([&](const Message&) { seen[at]++, total++; });
    check(seen[at] <= messages_max[at],
          text("round %d: a member got more than its maximum", round));
  }
  check(total == expected, text("round %d: more messages than were sent", round));
}

}  // namespace

// Goal: UNSUB with a maximum delivers exactly that many, whoever publishes from wherever; in a
// queue group too, where the rest goes to the other members.
std::string auto_unsub_exact(Scene& scene) {
  const int rounds = scene.scaled(1500);
  Chance chance(scene.seed);
  const Clients publishers = connect_many(scene, 8);
  const Clients members = connect_many(scene, 4);
  for (int round = 0; round < rounds; round++) {
    one_subscriber(publishers, *members[chance.below(members.size())], 2 * round, chance);
    queue_members(publishers, members, 2 * round + 1, chance);
  }
  return text("%d rounds with one subscriber, and as many with 4 members", rounds);
}

// Goal: no member of a group is preferred, wherever its connection and its publishers are.
// Method: shares of a binomial distribution lie within six standard deviations.
std::string queue_fair(Scene& scene) {
  constexpr int members_count = 8, publishers_count = 3;
  const int each = scene.scaled(20'000), burst = 100;
  const Clients members = connect_many(scene, members_count);
  const Clients publishers = connect_many(scene, publishers_count);
  for (const auto& member : members) {
    member->subscribe("fair.*", 1, "q");
    member->fence();
  }
  std::vector<int> shares(members_count, 0);
  const auto collect = [&] {
    for (int at = 0; at < members_count; at++) {
      members[size_t(at)]->fence([&](const Message&) { shares[size_t(at)]++; });
    }
  };
  for (int sent = 0; sent < each; sent += burst) {
    publish_by_all(publishers, "fair.x", std::min(burst, each - sent));
    collect();
  }
  const double total = double(each) * publishers_count, part = 1.0 / members_count;
  const double mean = total * part, sigma = sqrt(total * part * (1 - part));
  double sum = 0, worst = 0;
  for (const int share : shares) {
    sum += share;
    worst = std::max(worst, fabs(share - mean) / sigma);
  }
  check(sum == total, text("%.0f of %.0f messages", sum, total));
  check(worst < 6, text("a share is %.1f standard deviations off", worst));
  return text("%.0f messages, worst share %.1f sigma off", total, worst);
}

namespace {

/// Who got which message. Ids are dense, so a byte each is enough.
class Ledger {
 public:
  explicit Ledger(size_t messages) : counts_(messages) {}
  void note(const Message& message) {
    const uint64_t id = id_of(message.payload);
    check(id < counts_.size(), "a message that nobody sent");
    check(counts_[id].fetch_add(1) == 0,
          text("message %llu came twice", static_cast<unsigned long long>(id)));
    seen_++;
  }
  uint64_t seen() const { return seen_; }

 private:
  std::vector<std::atomic<uint8_t>> counts_;
  std::atomic<uint64_t> seen_ = 0;
};

// Comes, takes a few, leaves; again and again. Only UNSUB and reading to the PONG leaves nothing
// unread; the other two ways may take messages with them.
void come_and_go(Scene& scene, Ledger& ledger, uint64_t seed, bool politely,
                 const std::atomic<bool>& done, std::atomic<uint64_t>& taken) {
  Chance chance(seed);
  const auto note = [&](const Message& message) {
    ledger.note(message);
    taken++;
  };
  auto client = std::make_unique<Client>(scene);
  for (uint64_t sid = 1; !done; sid++) {
    client->subscribe(chance.one_in(2) ? "churn.x" : "churn.*", sid, "q");
    client->flush();
    Message message;
    for (uint64_t wanted = chance.below(30); wanted > 0 && !done; wanted--) {
      if (client->next(message, 0.02) == Event::message) note(message);
    }
    if (politely) {
      client->unsubscribe(sid);
      client->fence(note);
      continue;
    }
    if (chance.one_in(2)) {
      client->reset();
    }
    client = std::make_unique<Client>(scene);
  }
  if (politely) client->fence(note);
}

// The messages still missing when all publishers have flushed may be on their way to a stable
// member; `awaited` of them must come in the end.
void collect(Scene& scene, const Clients& stable, Ledger& ledger, uint64_t awaited, double max_s) {
  const Stopwatch watch;
  do {
    for (const auto& member : stable) {
      member->fence([&](const Message& message) { ledger.note(message); });
    }
    scene.check_time("collecting");
  } while (ledger.seen() < awaited && watch.seconds() < max_s);
}

std::string churn_once(Scene& scene, bool politely, int each) {
  constexpr int publishers_count = 3, movers = 4, last = 1000, window = 200;
  const uint64_t total = uint64_t(each) * publishers_count;
  Ledger ledger(total + last);
  const Clients stable = connect_many(scene, 2);
  for (const auto& member : stable) {
    member->subscribe("churn.*", 1, "q");
    member->fence();
  }
  std::atomic<bool> done = false;
  std::atomic<uint64_t> taken = 0;
  Crew crew(scene), publishing(scene);
  for (int id = 0; id < movers; id++) {
    const uint64_t seed = scene.seed + uint64_t(id);
    crew.add([&, seed] { come_and_go(scene, ledger, seed, politely, done, taken); });
  }
  std::atomic<int> publishers_left = publishers_count;
  for (int id = 0; id < publishers_count; id++) {
    publishing.add([&, id] {
      Client publisher(scene);
      for (int at = 0; at < each; at++) {
        publisher.publish("churn.x", std::to_string(uint64_t(id) * uint64_t(each) + uint64_t(at)));
        if (at % window == window - 1) publisher.fence();
      }
      publisher.fence();
      publishers_left--;
    });
  }
  while (publishers_left > 0 && !scene.failed) collect(scene, stable, ledger, 0, 0);
  publishing.join();
  done = true;
  crew.join();
  collect(scene, stable, ledger, total, politely ? 10 : 0);
  const uint64_t lost = total - ledger.seen();
  if (politely && lost > 0) fail(text("%llu messages lost", static_cast<unsigned long long>(lost)));

  // Whoever left is out of the group: all that comes now goes to those who stayed.
  Client publisher(scene);
  for (uint64_t at = 0; at < last; at++) publisher.publish("churn.x", std::to_string(total + at));
  publisher.fence();
  const uint64_t before = ledger.seen();
  collect(scene, stable, ledger, before + last, 10);
  check(ledger.seen() >= before + last, "a member that left still gets messages");
  return text("%llu messages, %llu to who came and went, %llu gone with them",
              static_cast<unsigned long long>(total + last),
              static_cast<unsigned long long>(taken.load()), static_cast<unsigned long long>(lost));
}

}  // namespace

// Goal: a queue message is delivered once, and is not lost while somebody stays in the group.
// Method: members that leave by UNSUB read to its PONG, so each message can be accounted for.
// Members that close or reset take with them what they did not read; then nothing may come twice,
// and nothing may go to them any more.
std::string queue_churn(Scene& scene) {
  const std::string polite = churn_once(scene, true, scene.scaled(60'000));
  const std::string rude = churn_once(scene, false, scene.scaled(30'000));
  return "UNSUB: " + polite + "; close and reset: " + rude;
}

}  // namespace hammer
