// Scenarios about subscribers that are slow, and one that is stuck.

#include <poll.h>

#include "scenario.hpp"

#include <algorithm>

namespace hammer {

namespace {

constexpr double micros_per_message = 3;
constexpr std::chrono::milliseconds pause{300}, pause_every{500};
constexpr double memory_mib_max = 400;  // Outboxes of 64 MiB, what holds them, and the kernel's.

void burn(double micros) {
  const Stopwatch watch;
  while (watch.micros() < micros) {
  }
}

// A publisher at full speed into one subscriber, which does `work` after each message. Nothing may
// be lost, and the server's memory must stay bounded.
template <typename Work>
std::string stream_into(Scene& scene, size_t payload_bytes, Work&& work) {
  const std::string payload(payload_bytes, 'x');
  std::atomic<uint64_t> sent = 0;
  std::atomic<bool> published = false;
  uint64_t seen = 0;
  const double before_mib = scene.server_pid ? resident_mib(scene.server_pid) : 0;
  double most_mib = before_mib;
  Client subscriber(scene);
  subscriber.subscribe("slow", 1);
  subscriber.fence();
  Crew crew(scene);
  crew.add([&] {
    Client publisher(scene);
    const Stopwatch watch;
    while (watch.seconds() < scene.secs) {
      for (int at = 0; at < 100; at++) {
        publisher.publish("slow", std::to_string(sent++) + " " + payload);
      }
      publisher.flush();
    }
    publisher.fence([](const Message&) {}, 40);
    published = true;
  });
  const Stopwatch watch;
  Message message;
  while (!published || seen < sent) {
    const Event event = subscriber.next(message, 0.1);
    if (event == Event::timeout) {
      scene.check_time("waiting for the rest");
      continue;
    }
    if (event != Event::message) subscriber.refuse(event);
    const uint64_t number =
        strtoull(std::string(message.payload.substr(0, 20)).c_str(), nullptr, 10);
    if (number != seen) {
      fail(text("%llu came where %llu was due", static_cast<unsigned long long>(number),
                static_cast<unsigned long long>(seen)));
    }
    seen++;
    work();
    if (seen % 10'000 == 0 && scene.server_pid) {
      most_mib = std::max(most_mib, resident_mib(scene.server_pid));
    }
  }
  const double rate = double(seen) / watch.seconds();
  crew.join();
  subscriber.fence();
  const double grown_mib = most_mib - before_mib;
  check(grown_mib < memory_mib_max, text("the server grew by %.0f MiB", grown_mib));
  return text("%llu messages at %.0f/s, server grew by %.0f MiB",
              static_cast<unsigned long long>(seen), rate, grown_mib);
}

}  // namespace

// Goal: a subscriber that is slower than its publisher, but reads, is not cut off.
std::string slow_honest(Scene& scene) {
  return stream_into(scene, 128, [] { burn(micros_per_message); });
}

// Goal: neither is one that is fast, but pauses: a garbage collector, or a machine with other work.
// The pauses are far below the write deadline, so time is no reason to cut it off; and its queue is
// not either, for its publisher is one that can be held.
std::string pausing_honest(Scene& scene) {
  Clock::time_point next_pause = Clock::now() + pause_every;
  return stream_into(scene, 1000, [&next_pause] {
    if (Clock::now() < next_pause) return;
    std::this_thread::sleep_for(pause);
    next_pause = Clock::now() + pause_every;
  });
}

namespace {

// A hundred subscribers on one thread; what each has seen is in order and complete, or it fails.
class Readers {
 public:
  Readers(Scene& scene, int count) : scene_(scene), clients_(connect_many(scene, count)) {
    for (const auto& client : clients_) {
      client->subscribe("stuck", 1);
      client->fence();
      polls_.push_back({client->fd(), POLLIN, 0});
      seen_.push_back(0);
    }
  }

  void read_until(uint64_t count) {
    const Stopwatch watch;
    while (*std::min_element(seen_.begin(), seen_.end()) < count) {
      scene_.check_time("reading");
      check(watch.seconds() < 20, "healthy subscribers get nothing more");
      poll(polls_.data(), polls_.size(), 100);
      for (size_t at = 0; at < clients_.size(); at++) {
        if (polls_[at].revents != 0) read(at);
      }
    }
  }

 private:
  void read(size_t at) {
    Message message;
    Event event = Event::message;
    while ((event = clients_[at]->next_here(message)) == Event::message) {
      const uint64_t number =
          strtoull(std::string(message.payload.substr(0, 20)).c_str(), nullptr, 10);
      check(number == seen_[at], "a message missing, or out of order");
      seen_[at]++;
    }
    if (event != Event::timeout) clients_[at]->refuse(event);
  }

  Scene& scene_;
  Clients clients_;
  std::vector<pollfd> polls_;
  std::vector<uint64_t> seen_;
};

class Feed {
 public:
  Feed(Scene& scene, Readers& readers) : readers_(readers), publisher_(scene) {}

  /// A few hundred messages, read by all who read.
  void burst() {
    constexpr uint64_t messages = 200;
    for (uint64_t at = 0; at < messages; at++) {
      publisher_.publish("stuck", text("%llu ", static_cast<unsigned long long>(sent_++)) + body_);
    }
    publisher_.flush();
    readers_.read_until(sent_);
  }

  double rate_for(double secs) {
    const Stopwatch watch;
    const uint64_t before = sent_;
    while (watch.seconds() < secs) burst();
    return double(sent_ - before) / watch.seconds();
  }

 private:
  Readers& readers_;
  Client publisher_;
  std::string body_ = std::string(1000, 'x');
  uint64_t sent_ = 0;
};

}  // namespace

// Goal: of a hundred subscribers one never reads. The server closes it, within the write deadline
// once its pipe is full, or when max_pending is exceeded. The others never miss a thing.
std::string stuck_one(Scene& scene) {
  constexpr double phase_s = 1.5, filling_s_max = 15;
  Readers readers(scene, 99);
  Feed feed(scene, readers);
  const double before = feed.rate_for(phase_s);

  Client stuck(scene, {.receive_buffer_bytes = 8192});
  stuck.subscribe("stuck", 1);
  stuck.ping();
  stuck.flush();
  const double limit_s = scene.write_deadline_ms * 1.5 / 1000 + filling_s_max;
  const Stopwatch watch;
  const uint16_t port = stuck.local_port();
  int64_t bursts = 0;
  while (unread_by_server(scene, port) >= 0) {
    feed.burst();
    bursts++;
    check(watch.seconds() < limit_s, "the subscriber that never reads was not closed");
  }
  const double closed_s = watch.seconds();
  const double during = double(bursts) * 200 / closed_s;
  const double after = feed.rate_for(phase_s);
  return text("closed after %.1f s; messages/s to 99 others: %.0f before, %.0f during, %.0f after",
              closed_s, before, during, after);
}

}  // namespace hammer
