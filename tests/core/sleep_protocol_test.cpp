// How two shards sleep without losing a wake, proved by trying everything: the steps of both are
// written down one shared access at a time, and all their interleavings are walked. All of these
// accesses are sequentially consistent in the code, so interleavings are all there is.
//
// The steps mirror Shard::tick() and may_sleep(), ShardLink::drain(), end_turn() and has_news(),
// Baton::claim_wake(), Mailbox::publish(), has_room(), want_room() and release(). Whoever changes
// the order of accesses there changes it here. Each mutation leaves out or swaps what the protocol
// rests on, and has to be found.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_set>
#include <vector>

namespace peal::core {
namespace {

enum class Mutation : uint8_t {
  none,
  consumer_looks_no_second_time,
  consumer_looks_before_it_says_that_it_sleeps,
  producer_claims_before_it_publishes,
  producer_looks_no_second_time,
  producer_looks_before_it_says_that_it_waits,
  producer_looks_before_it_says_that_it_sleeps,
  release_asks_before_it_gives_room,
  release_wakes_nobody,
  acknowledgement_wakes_nobody,
  acknowledgements_are_noted_after_fences_are_checked,
  wake_goes_out_after_the_sleep,
};

struct Setting {
  uint8_t records;   // To be sent in all.
  uint8_t capacity;  // Of the mailbox, in records.
  uint8_t resume;    // Room that a parked producer waits for.
  uint8_t batch;     // Records that the producer's client sends in one turn.
  bool release_each;
  uint8_t other_wakes;  // Completions of sockets, that end a sleep for no reason of the protocol.
};

enum class At : uint8_t {
  // Reactor::wait(): wakes go out, then the thread sleeps if it may.
  enter,
  asleep,
  rise,  // Baton::take_back()
  // The producer: fences, then its client's messages.
  note_acknowledged,
  check_fence,
  note_acknowledged_late,
  fill,
  // The consumer: drain().
  take_head,
  release_store,
  release_load,
  release_exchange,
  release_store_late,
  acknowledge,
  // Both: end_turn().
  publish,
  claim_load,
  claim_exchange,
  // Both: may_sleep().
  say_asleep,
  look_for_news,
  say_want,
  look_for_room,
  settle,
};

const char* text_of(At at) {
  static constexpr const char* texts[] = {"enter",
                                          "asleep",
                                          "rise",
                                          "note_acknowledged",
                                          "check_fence",
                                          "note_late",
                                          "fill",
                                          "take_head",
                                          "release_store",
                                          "release_load",
                                          "release_exchange",
                                          "release_late",
                                          "acknowledge",
                                          "publish",
                                          "claim_load",
                                          "claim_exchange",
                                          "say_asleep",
                                          "look_for_news",
                                          "say_want",
                                          "look_for_room",
                                          "settle"};
  return texts[static_cast<size_t>(at)];
}

/// Bytes alone, so that states are compared as memory.
struct Thread {
  At at = At::enter;
  uint8_t may_sleep = 0;
  uint8_t news = 0;
  uint8_t touched = 0;
  uint8_t wake_queued = 0;
};

struct State {
  // Shared.
  uint8_t head = 0;
  uint8_t tail = 0;
  uint8_t producer_waits = 0;
  uint8_t acknowledged = 0;
  uint8_t flags[2] = {0, 0};  // Of the batons: announced or lent.
  uint8_t wakes[2] = {0, 0};  // Completions that lie in a ring.
  uint8_t other_wakes = 0;

  Thread threads[2];

  // The producer's own.
  uint8_t to_send = 0;
  uint8_t written = 0;
  uint8_t tail_seen = 0;
  uint8_t in_turn = 0;
  uint8_t parked = 0;
  uint8_t fenced = 0;
  uint8_t fence_reached = 0;
  uint8_t seen_acknowledged = 0;

  // The consumer's own.
  uint8_t head_seen = 0;
  uint8_t read = 0;
  uint8_t released = 0;
  uint8_t confirmed = 0;
};
static_assert(std::has_unique_object_representations_v<State>);

constexpr int producer = 0;
constexpr int consumer = 1;

class Checker {
 public:
  Checker(const Setting& setting, Mutation mutation) : setting_(setting), mutation_(mutation) {}

  /// What goes wrong and on which way; empty when nothing does.
  std::string run() {
    State first;
    first.to_send = setting_.records;
    first.other_wakes = setting_.other_wakes;
    visit(first, none, 0);
    while (!open_.empty()) {
      const size_t from = open_.back();
      open_.pop_back();
      bool moved = false;
      for (const int who : {producer, consumer}) {
        State next = nodes_[from].state;
        if (!step(next, who)) continue;
        moved = true;
        visit(next, from, who);
      }
      if (!moved && !finished(nodes_[from].state)) return trace(from, "all sleep, work is left");
      if (const char* const wrong = violation(nodes_[from].state)) return trace(from, wrong);
    }
    return "";
  }

  size_t states() const { return nodes_.size(); }

 private:
  static constexpr size_t none = SIZE_MAX;

  struct Node {
    State state;
    size_t parent;
    int who;
  };

  bool mutated(Mutation mutation) const { return mutation_ == mutation; }

  void visit(const State& state, size_t parent, int who) {
    std::string key(sizeof state, '\0');
    std::memcpy(key.data(), &state, sizeof state);
    if (!seen_.insert(std::move(key)).second) return;
    open_.push_back(nodes_.size());
    nodes_.push_back({state, parent, who});
  }

  std::string trace(size_t node, const char* what) const {
    std::string way;
    for (; nodes_[node].parent != none; node = nodes_[node].parent) {
      const State& before = nodes_[nodes_[node].parent].state;
      const int who = nodes_[node].who;
      way.insert(0, std::string(who == producer ? "\n  producer " : "\n  consumer ") +
                        text_of(before.threads[who].at));
    }
    return what + way;
  }

  bool finished(const State& state) const {
    return state.read == setting_.records && state.fence_reached != 0;
  }

  static bool sleeps(const State& state, int who) {
    const Thread& thread = state.threads[who];
    return thread.at == At::asleep && thread.may_sleep != 0 && state.wakes[who] == 0;
  }
  /// It is on its way to the other's flag, or has claimed the wake already.
  static bool will_wake(const Thread& thread) {
    return thread.touched != 0 || thread.wake_queued != 0 || thread.at == At::release_load ||
           thread.at == At::release_exchange;
  }

  const char* violation(const State& state) const {
    if (sleeps(state, consumer) && state.head != state.read &&
        !will_wake(state.threads[producer])) {
      return "the consumer sleeps, there is something to read, and nobody will wake it";
    }
    if (will_wake(state.threads[consumer]) || !sleeps(state, producer)) return nullptr;
    if (state.parked != 0 && room(state, state.tail) >= setting_.resume) {
      return "the producer waits for room that is there, and nobody will wake it";
    }
    if (state.fenced != 0 && state.acknowledged != 0) {
      return "the producer waits for what was acknowledged, and nobody will wake it";
    }
    return nullptr;
  }

  unsigned room(const State& state, uint8_t tail) const {
    return setting_.capacity - unsigned(state.written - tail);
  }

  /// One shared access of this thread, with what it does by itself around it. False when it sleeps.
  bool step(State& state, int who) const {
    Thread& self = state.threads[who];
    const int other = 1 - who;
    switch (self.at) {
      case At::enter:
        if (self.wake_queued != 0 && !mutated(Mutation::wake_goes_out_after_the_sleep)) {
          state.wakes[other] = 1;
          self.wake_queued = 0;
        }
        self.at = At::asleep;
        return true;
      case At::asleep:
        if (self.may_sleep != 0 && state.wakes[who] == 0) {
          if (state.other_wakes == 0) return false;
          state.other_wakes--;
        }
        state.wakes[who] = 0;
        if (self.wake_queued != 0) state.wakes[other] = 1;
        self.wake_queued = 0;
        self.at = At::rise;
        return true;
      case At::rise:
        state.flags[who] = 0;
        self.may_sleep = self.news = 0;
        if (who == consumer) {
          self.at = At::take_head;
        } else {
          state.in_turn = 0;
          self.at = mutated(Mutation::acknowledgements_are_noted_after_fences_are_checked)
                        ? At::check_fence
                        : At::note_acknowledged;
        }
        return true;

      case At::note_acknowledged:
        state.seen_acknowledged = state.acknowledged;
        self.at = At::check_fence;
        return true;
      case At::check_fence:
        if (state.fenced != 0 && state.acknowledged != 0) {
          state.fenced = 0;
          state.fence_reached = 1;
        }
        self.at = mutated(Mutation::acknowledgements_are_noted_after_fences_are_checked)
                      ? At::note_acknowledged_late
                      : At::fill;
        return true;
      case At::note_acknowledged_late:
        state.seen_acknowledged = state.acknowledged;
        self.at = At::fill;
        return true;
      case At::fill:
        fill(state, self);
        return true;

      case At::take_head:
        state.head_seen = state.head;
        read_on(state, self);
        return true;
      case At::release_store:
        if (state.read == state.released) {
          self.at = At::acknowledge;
          return true;
        }
        if (mutated(Mutation::release_asks_before_it_gives_room)) {
          self.at = At::release_load;
          return true;
        }
        state.tail = state.released = state.read;
        self.at = At::release_load;
        return true;
      case At::release_load:
        if (state.producer_waits != 0) {
          self.at = At::release_exchange;
        } else {
          after_release(state, self);
        }
        return true;
      case At::release_exchange:
        if (state.producer_waits != 0 && !mutated(Mutation::release_wakes_nobody)) {
          self.touched = 1;
        }
        state.producer_waits = 0;
        after_release(state, self);
        return true;
      case At::release_store_late:
        state.tail = state.released = state.read;
        after_release(state, self);
        return true;
      case At::acknowledge:
        // What is last is what the fence waits for; a message in between is not acknowledged.
        if (state.read == setting_.records && state.confirmed == 0) {
          state.acknowledged = state.confirmed = 1;
          if (!mutated(Mutation::acknowledgement_wakes_nobody)) self.touched = 1;
        }
        self.at = At::claim_load;
        return true;

      case At::publish:
        if (mutated(Mutation::producer_claims_before_it_publishes)) {
          state.head = state.written;
          self.at = At::say_asleep;
          return true;
        }
        if (state.head != state.written) self.touched = 1;
        state.head = state.written;
        self.at = At::claim_load;
        return true;
      case At::claim_load:
        if (self.touched != 0 && state.flags[other] != 0) {
          self.at = At::claim_exchange;
        } else {
          self.touched = 0;
          self.at = after_claim(who);
        }
        return true;
      case At::claim_exchange:
        if (state.flags[other] != 0) self.wake_queued = 1;
        state.flags[other] = 0;
        self.touched = 0;
        self.at = after_claim(who);
        return true;

      case At::say_asleep:
        // Its client has more for it, so it does not sleep.
        if (who == producer && state.parked == 0 && state.fence_reached == 0 && state.fenced == 0) {
          self.at = At::enter;
          return true;
        }
        if (looks_first(who)) {
          look_for_news(state, self, who);
          self.at = At::settle;
          return true;
        }
        state.flags[who] = 1;
        self.at = At::look_for_news;
        return true;
      case At::look_for_news:
        look_for_news(state, self, who);
        if (who == consumer || state.parked == 0) {
          self.at = At::settle;
        } else {
          self.at = mutated(Mutation::producer_looks_before_it_says_that_it_waits)
                        ? At::look_for_room
                        : At::say_want;
        }
        return true;
      case At::say_want:
        state.producer_waits = 1;
        self.at = mutated(Mutation::producer_looks_before_it_says_that_it_waits)
                      ? At::settle
                      : At::look_for_room;
        return true;
      case At::look_for_room:
        if (!mutated(Mutation::producer_looks_no_second_time)) {
          state.tail_seen = state.tail;
          if (room(state, state.tail_seen) >= setting_.resume) self.news = 1;
        }
        self.at = mutated(Mutation::producer_looks_before_it_says_that_it_waits) ? At::say_want
                                                                                 : At::settle;
        return true;
      case At::settle:
        if (looks_first(who)) {
          state.flags[who] = self.news == 0;
        } else if (self.news != 0) {
          state.flags[who] = 0;
        }
        self.may_sleep = self.news == 0;
        self.at = At::enter;
        return true;
    }
    __builtin_unreachable();
  }

  bool looks_first(int who) const {
    return who == consumer ? mutated(Mutation::consumer_looks_before_it_says_that_it_sleeps)
                           : mutated(Mutation::producer_looks_before_it_says_that_it_sleeps);
  }

  At after_claim(int who) const {
    if (who == producer && mutated(Mutation::producer_claims_before_it_publishes)) {
      return At::publish;
    }
    return At::say_asleep;
  }

  // has_news(): what a shard that is about to sleep looks at once more.
  void look_for_news(const State& state, Thread& self, int who) const {
    if (who == producer) {
      if (state.acknowledged != state.seen_acknowledged) self.news = 1;
      return;
    }
    if (mutated(Mutation::consumer_looks_no_second_time)) return;
    if (state.head != state.read) self.news = 1;
  }

  // What the client has sent is appended until there is no room as far as is known; then has_room()
  // looks at the tail.
  void fill(State& state, Thread& self) const {
    const auto has_room = [&] {
      return room(state, state.tail_seen) >= (state.parked != 0 ? setting_.resume : 1u);
    };
    while (state.to_send > 0 && state.in_turn < setting_.batch) {
      if (!has_room()) {
        state.tail_seen = state.tail;
        if (!has_room()) state.parked = 1;
        if (state.parked != 0) break;
        return;  // One look at the tail is one step.
      }
      state.parked = 0;
      state.to_send--;
      state.written++;
      state.in_turn++;
    }
    if (state.to_send == 0 && state.fence_reached == 0) state.fenced = 1;
    if (mutated(Mutation::producer_claims_before_it_publishes)) {
      self.touched = state.head != state.written;
      self.at = At::claim_load;
    } else {
      self.at = At::publish;
    }
  }

  void read_on(State& state, Thread& self) const {
    if (state.read != state.head_seen) {
      state.read = setting_.release_each ? static_cast<uint8_t>(state.read + 1) : state.head_seen;
    }
    self.at = At::release_store;
  }

  void after_release(State& state, Thread& self) const {
    if (mutated(Mutation::release_asks_before_it_gives_room) && state.released != state.read) {
      self.at = At::release_store_late;
      return;
    }
    if (state.read != state.head_seen) return read_on(state, self);
    self.at = At::acknowledge;
  }

  const Setting setting_;
  const Mutation mutation_;
  std::unordered_set<std::string> seen_;
  std::vector<Node> nodes_;
  std::vector<size_t> open_;
};

template <typename Act>
void each_setting(Act&& act) {
  for (uint8_t capacity = 1; capacity <= 3; capacity++) {
    for (uint8_t resume = 1; resume <= capacity; resume++) {
      for (const uint8_t batch : {1, 2, 4}) {
        for (const bool release_each : {false, true}) {
          for (const uint8_t other_wakes : {0, 1}) {
            act(Setting{4, capacity, resume, batch, release_each, other_wakes});
          }
        }
      }
    }
  }
}

TEST_CASE("sleep protocol: no interleaving leaves anyone asleep who has something to do") {
  size_t states = 0;
  each_setting([&](const Setting& setting) {
    Checker checker(setting, Mutation::none);
    CAPTURE(unsigned{setting.capacity});
    CAPTURE(unsigned{setting.resume});
    CAPTURE(unsigned{setting.batch});
    CAPTURE(setting.release_each);
    CHECK(checker.run() == "");
    states += checker.states();
  });
  MESSAGE("states: " << states);
  CHECK(states > 10000);
}

TEST_CASE("sleep protocol: every step of it is needed") {
  for (const Mutation mutation :
       {Mutation::consumer_looks_no_second_time,
        Mutation::consumer_looks_before_it_says_that_it_sleeps,
        Mutation::producer_claims_before_it_publishes, Mutation::producer_looks_no_second_time,
        Mutation::producer_looks_before_it_says_that_it_waits,
        Mutation::producer_looks_before_it_says_that_it_sleeps,
        Mutation::release_asks_before_it_gives_room, Mutation::release_wakes_nobody,
        Mutation::acknowledgement_wakes_nobody,
        Mutation::acknowledgements_are_noted_after_fences_are_checked,
        Mutation::wake_goes_out_after_the_sleep}) {
    CAPTURE(static_cast<int>(mutation));
    bool found = false;
    each_setting([&](const Setting& setting) {
      if (!found) found = !Checker(setting, mutation).run().empty();
    });
    CHECK(found);
  }
}

}  // namespace
}  // namespace peal::core
