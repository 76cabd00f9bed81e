// Goal: a few interleavings that chance alone comes to too seldom, each of which a deliberate bug
// of tests/mutants/list.txt breaks that thousands of seeds have not noticed. Method: two shards and
// a few clients who say what the scene has them say; no faults, but shards that are preempted
// wherever they can be.

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/peal_server.hpp"
#include "tests/sim/reply_reader.hpp"
#include "tests/sim/runner.hpp"

using namespace peal::sim;

namespace {

/// Says what it is told to, and keeps what it hears.
class Talker : public Actor, public LinkClient {
 public:
  Talker(World& world, int listener)
      : world_(world), link_(world.connect(listener, *this, link_bytes, link_bytes)) {
    say("CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
  }

  void say(std::string_view text) {
    out_ += text;
    on_link_changed();
  }
  /// All of it in one piece: the shard gets it in one turn, if its buffers are as large.
  void say_at_once(std::string_view text) { REQUIRE(link_->client_write(text) == text.size()); }
  void half_close() { link_->client_shutdown(); }
  void leave() { link_->client_close(); }
  /// From now on it takes so much in a millisecond, and no more.
  void sip(size_t bytes) { sip_bytes_ = bytes; }

  unsigned pongs = 0;
  unsigned messages = 0;
  unsigned refusals = 0;  // 503s, which are messages as well.
  unsigned errors = 0;
  std::function<void(const Reply&)> on_message;
  std::function<void()> on_pong;

  void on_link_changed() override { world_.schedule(world_.now() + world_.delay(), *this, 0); }
  void run(uint32_t, uint64_t) override {
    if (world_.now() >= next_sip_) {
      link_->client_read(sip_bytes_, replies_.bytes());
      if (sip_bytes_ != SIZE_MAX) {
        next_sip_ = world_.now() + ms;
        world_.schedule(next_sip_, *this, 0);
      }
    }
    while (const auto reply = replies_.next()) {
      if (reply->kind == Reply::Kind::pong) {
        pongs++;
        if (on_pong) on_pong();
      }
      if (reply->kind == Reply::Kind::error) errors++;
      if (reply->kind == Reply::Kind::message) {
        messages++;
        if (reply->headers.starts_with("NATS/1.0 503")) refusals++;
        if (on_message) on_message(*reply);
      }
    }
    out_.erase(0, link_->client_write(out_));
  }

 private:
  static constexpr size_t link_bytes = 64 * 1024;

  World& world_;
  Link* link_;
  size_t sip_bytes_ = SIZE_MAX;
  Time next_sip_ = 0;
  ReplyReader replies_;
  std::string out_;
};

/// Clients go to the shards in turn: as many as there are shards are on different ones.
class Scene {
 public:
  explicit Scene(unsigned talkers, const Scenario& scenario, uint64_t seed = 1) : world(seed) {
    world.kernel.receive_buffer_bytes = scenario.recv_cap_bytes;
    server_ = make_peal_server(world, scenario);
    for (unsigned i = 0; i < server_->shards(); i++) {
      runners.push_back(std::make_unique<Runner>(world, server_->shard(i),
                                                 *world.reactor(server_->reactor_handle(i))));
    }
    for (unsigned i = 0; i < talkers; i++) settle(join());
  }
  ~Scene() {
    server_->stop();
    run_for(10 * sec, [&] {
      return std::ranges::all_of(runners, [](const auto& runner) { return runner->stopped(); });
    });
  }

  Talker& talker(unsigned index) { return *talkers_[index]; }
  Talker& join() {
    talkers_.push_back(std::make_unique<Talker>(world, server_->listener()));
    return *talkers_.back();
  }

  template <typename Done>
  bool run_for(Time time, Done&& done) {
    const Time end = world.now() + time;
    world.schedule(end, clock_, 0);
    while (!done() && world.now() < end && world.run_next()) {
    }
    return done();
  }
  /// What it has said is in force everywhere.
  void settle(Talker& talker) {
    const unsigned before = talker.pongs;
    talker.say("PING\r\n");
    REQUIRE(run_for(sec, [&] { return talker.pongs > before; }));
  }

  uint64_t stalls() const { return server_->stalls(); }
  void fill_an_index(bool full) { server_->fill_an_index(full); }

  World world;
  std::vector<std::unique_ptr<Runner>> runners;

 private:
  struct Clock : Actor {
    void run(uint32_t, uint64_t) override {}
  };
  Clock clock_;
  std::vector<std::unique_ptr<Talker>> talkers_;
  std::unique_ptr<ServerUnderTest> server_;
};

Scenario with_shards(unsigned shards) {
  Scenario scenario;
  scenario.shards = shards;
  return scenario;
}

}  // namespace

// Of data-is-shown-before-interest: a turn that brings much is shown to other shards before it
// ends. Whoever answers a request of that turn must know of the subscription that was made before
// it.
TEST_CASE("server: an answer finds the subscription, though the request came early") {
  Scenario scenario = with_shards(2);
  scenario.recv_cap_bytes = 2048;
  scenario.mailbox_bytes = 4096;
  Scene scene(4, scenario);
  Talker& asker = scene.talker(0);
  Talker& answerer = scene.talker(1);
  answerer.on_message = [&](const Reply& request) {
    if (request.reply.empty()) return;
    answerer.say("PUB " + std::string(request.reply) + " 2\r\nok\r\n");
  };
  answerer.say("SUB svc 1\r\nSUB svc.* 2\r\n");
  scene.settle(answerer);
  // So that no shard sleeps: what is shown early wakes nobody.
  for (const unsigned i : {2u, 3u}) {
    Talker& pinger = scene.talker(i);
    pinger.on_pong = [&pinger] { pinger.say("PING\r\n"); };
    pinger.say("PING\r\n");
  }
  scene.world.faults.preemption = 100;
  for (int round = 1; round <= 100; round++) {
    CAPTURE(round);
    const std::string number = std::to_string(round);
    std::string burst = "SUB inbox." + number + " " + number + "\r\n";
    burst += "PUB svc inbox." + number + " 2\r\nhi\r\n";
    // Subjects that differ, or they would all go in one record.
    for (int i = 0; i < 80; i++) burst += "PUB svc." + std::to_string(i % 7) + " 0\r\n\r\n";
    const unsigned before = asker.messages;
    asker.say_at_once(burst);
    REQUIRE(scene.run_for(sec, [&] { return asker.messages > before; }));
  }
}

// Of looks-before-it-says-that-it-sleeps: who is told something between the look and the word would
// sleep on it.
TEST_CASE("server: a message that comes while a shard falls asleep wakes it") {
  Scene scene(2, with_shards(2));
  Talker& speaker = scene.talker(0);
  Talker& sleeper = scene.talker(1);
  sleeper.say("SUB news 1\r\n");
  scene.settle(sleeper);
  // Seldom, or what happens meanwhile has happened before the last look.
  scene.world.faults.preemption = 10;
  for (unsigned round = 1; round <= 3000; round++) {
    CAPTURE(round);
    // Something that is nobody else's, so that it is about to sleep again when the message comes.
    sleeper.say("PUB nothing 0\r\n\r\n");
    scene.run_for(scene.world.chance.between(0, 60 * us), [] { return false; });
    speaker.say("PUB news 2\r\nhi\r\n");
    REQUIRE(scene.run_for(sec, [&] { return sleeper.messages == round; }));
  }
}

// Of other-account-on-the-same-subject: a record that does not repeat its subject does not repeat
// its account. A second subscription to what a shard wants already is told to nobody, so whoever
// publishes goes on as before, and the shard has to find anew who gets it.
TEST_CASE("server: a subject's account is remembered while its subscriptions change") {
  Scenario scenario = with_shards(2);
  scenario.accounts = true;
  Scene scene(4, scenario);
  Talker& publisher = scene.talker(0);
  unsigned published = 0;
  const auto publish = [&] {
    const std::string payload(++published, 'x');  // None is as long as the one before.
    publisher.say("PUB news " + std::to_string(payload.size()) + "\r\n" + payload + "\r\n");
    scene.settle(publisher);
  };
  for (const unsigned i : {1u, 2u, 3u}) {
    CAPTURE(i);
    Talker& subscriber = scene.talker(i);
    subscriber.say("SUB news 1\r\n");
    scene.settle(subscriber);
    publish();
    publish();
    scene.run_for(10 * ms, [] { return false; });
    for (unsigned heard = 1; heard <= i; heard++) {
      CHECK(scene.talker(heard).messages == published - 2 * (heard - 1));
    }
  }
}

// Of last-words-of-a-paused-client-are-lost: its PONG has to wait for another shard, and it has
// gone before that; what stands behind the PING is acted upon all the same.
TEST_CASE("server: what a client said behind a fence counts, though it has gone") {
  for (const unsigned held : {0u, 1u}) {  // One of them is the other shard.
    CAPTURE(held);
    Scene scene(2, with_shards(2));
    Talker& leaver = scene.talker(0);
    Talker& listener = scene.talker(1);
    listener.say("SUB news 1\r\n");
    scene.settle(listener);
    scene.runners[held]->hold(5 * ms);
    leaver.say_at_once("SUB other 1\r\nPING\r\nPUB news 2\r\nhi\r\n");
    leaver.half_close();
    CHECK(scene.run_for(sec, [&] { return listener.messages == 1; }));
  }
}

// Of fence-does-not-wait-for-data: a shard reads so much of a mailbox in a turn and no more. The
// PONG of a subscriber waits for what lay in it when its PING came, however many turns that takes.
TEST_CASE("server: a PONG comes behind all that was published, though it is much") {
  unsigned seen = 0;
  for (const unsigned held : {0u, 1u}) {
    CAPTURE(held);
    Scene scene(2, with_shards(2));
    Talker& publisher = scene.talker(0);
    Talker& subscriber = scene.talker(1);
    subscriber.say("SUB news.* 1\r\n");
    scene.settle(subscriber);
    scene.runners[held]->hold(100 * ms);
    // Short enough to be copied, and on subjects that differ, or a record would only say where they
    // are.
    constexpr unsigned messages = 800;
    const std::string rest = " 900\r\n" + std::string(900, 'x') + "\r\n";
    for (unsigned i = 0; i < messages; i++) {
      publisher.say("PUB news." + std::to_string(i % 2) + rest);
    }
    publisher.say("PING\r\n");
    const unsigned before = publisher.pongs;
    const bool flushed = scene.run_for(50 * ms, [&] { return publisher.pongs > before; });
    unsigned heard_before_pong = 0;
    subscriber.on_pong = [&] { heard_before_pong = subscriber.messages; };
    subscriber.say("PING\r\n");
    REQUIRE(scene.run_for(sec, [&] { return subscriber.messages == messages; }));
    scene.settle(publisher);
    if (flushed) CHECK(heard_before_pong == messages);
    seen += flushed ? 1 : 0;
    subscriber.on_pong = nullptr;
    scene.settle(subscriber);
  }
  CHECK(seen == 1);  // It was the subscriber's shard that stood still.
}

// Seed 49581: a request went to a shard where somebody got it and where a queue group had lost its
// member. It was sent on for the group; where that had lost its last member too, it was as if
// nobody had got it.
TEST_CASE("server: who was answered is not told that nobody is there") {
  Scene scene(3, with_shards(3));
  Talker& asker = scene.talker(0);
  Talker& answerer = scene.talker(1);
  Talker& member = scene.talker(2);
  asker.say("SUB inbox 1\r\n");
  scene.settle(asker);
  answerer.say("SUB svc 1\r\n");
  scene.world.faults.preemption = 30;
  for (unsigned round = 1; round <= 2000; round++) {
    CAPTURE(round);
    for (Talker* each : {&answerer, &member}) {
      each->say("SUB svc workers 2\r\n");
      scene.settle(*each);
    }
    const unsigned before = answerer.messages;
    const auto hesitate = [&] {
      scene.run_for(scene.world.chance.between(0, 30 * us), [] { return false; });
    };
    asker.say("PUB svc inbox 2\r\nhi\r\n");
    hesitate();
    answerer.say("UNSUB 2\r\n");
    hesitate();
    member.say("UNSUB 2\r\n");
    REQUIRE(scene.run_for(sec, [&] { return answerer.messages > before; }));
    for (Talker* each : {&asker, &answerer, &member}) scene.settle(*each);
    REQUIRE(asker.refusals == 0);
  }
}

// Of generation-is-not-checked: a shard was held, and says only now that a request reached nobody.
// Whoever asked has gone meanwhile, and somebody else has his place. The second request of a turn
// finds nobody, because the first was all that its subscription wanted.
TEST_CASE("server: a newcomer is not told what his place's last owner asked") {
  unsigned refused = 0;
  for (const unsigned leaver_index : {0u, 1u}) {
    for (const unsigned held : {0u, 1u}) {  // Of the other one, if the listener is not there.
      for (const bool leaves : {false, true}) {
        CAPTURE(leaver_index);
        CAPTURE(held);
        CAPTURE(leaves);
        Scene scene(2, with_shards(2));
        Talker& leaver = scene.talker(leaver_index);
        Talker& answerer = scene.talker(1 - leaver_index);
        leaver.say("SUB inbox 1\r\n");
        scene.settle(leaver);
        answerer.say("SUB svc 1\r\nUNSUB 1 1\r\n");
        scene.settle(answerer);
        scene.runners[held]->hold(20 * ms);
        // Too much for the other shard to do in its place.
        const std::string request = "PUB svc inbox 3000\r\n" + std::string(3000, 'r') + "\r\n";
        leaver.say_at_once(request + request);
        scene.run_for(5 * ms, [] { return false; });
        if (leaves) leaver.leave();
        scene.run_for(5 * ms, [] { return false; });
        Talker& newcomer = scene.join();
        newcomer.say("SUB inbox 1\r\n");
        REQUIRE(scene.run_for(sec, [&] { return answerer.messages == 1; }));
        scene.settle(newcomer);
        scene.run_for(50 * ms, [] { return false; });
        CHECK(newcomer.refusals == 0);
        refused += leaver.refusals;
      }
    }
  }
  CHECK(refused == 4);  // Who stays hears of it.
}

// Seed 123344: a request went to two shards where the last who wanted it had just left, and each
// thought that the other had somebody. The second request of a turn finds nobody, wherever the
// first was all that a subscription wanted.
TEST_CASE("server: a request that is lost everywhere is answered, wherever its parts went") {
  struct Case {
    const char* what;
    std::vector<std::string> subscriptions;  // Of the talkers behind the asker.
    bool is_refused;
  };
  const std::string once = "SUB svc 1\r\nUNSUB 1 1\r\n";
  const auto member = [](const std::string& group) {
    const std::string sid(1, group.back());
    return "SUB svc " + group + " " + sid + "\r\nUNSUB " + sid + " 1\r\n";
  };
  const std::vector<Case> cases = {
      {"one shard", {once}, true},
      {"two shards", {once, once}, true},
      {"plain and group on one shard", {once + member("g2")}, true},
      {"plain and group", {once, member("g2")}, true},
      {"two groups on one shard", {member("g2") + member("g3")}, true},
      {"two groups", {member("g2"), member("g3")}, true},
      {"two groups and plain everywhere",
       {once + member("g2") + member("g3"), once + member("g4")},
       true},
      {"somebody stays", {once, "SUB svc 1\r\n"}, false},
      {"a group's member stays", {once, "SUB svc g2 2\r\n"}, false},
      {"a member stays on the same shard", {once + "SUB svc g2 2\r\n"}, false},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    Scene scene(3, with_shards(3));
    Talker& asker = scene.talker(0);
    asker.say("SUB inbox 1\r\n");
    scene.settle(asker);
    for (unsigned round = 1; round <= 20; round++) {
      CAPTURE(round);
      for (size_t i = 0; i < each.subscriptions.size(); i++) {
        if (round > 1 && !each.is_refused) break;
        scene.talker(static_cast<unsigned>(i) + 1).say(each.subscriptions[i]);
        scene.settle(scene.talker(static_cast<unsigned>(i) + 1));
      }
      asker.say_at_once("PUB svc inbox 2\r\nhi\r\nPUB svc inbox 2\r\nho\r\n");
      scene.run_for(10 * ms, [] { return false; });
      CHECK(asker.refusals == (each.is_refused ? round : 0));
    }
  }
}

// Of a-turn-has-no-end and a-lane-takes-all: a message for many is as much work as many messages. A
// turn that did it all at once would keep everybody else waiting, and a lane that took it all would
// keep waiting whose PONG comes behind it.
TEST_CASE("server: who says little is answered in the midst of a flood for many") {
  struct {
    unsigned shards, publisher, bystander;  // The subscriber is 0; those of two shards take turns.
  } const places[] = {{1, 1, 2}, {2, 2, 1}, {2, 1, 2}};
  for (const auto& place : places) {
    CAPTURE(place.shards);
    CAPTURE(place.publisher);
    Scenario scenario = with_shards(place.shards);
    scenario.work_per_turn = 10;
    Scene scene(3, scenario);
    Talker& subscriber = scene.talker(0);
    Talker& publisher = scene.talker(place.publisher);
    Talker& bystander = scene.talker(place.bystander);
    for (unsigned sid = 1; sid <= 5; sid++)
      subscriber.say("SUB flood " + std::to_string(sid) + "\r\n");
    scene.settle(subscriber);
    constexpr unsigned messages = 500;
    std::string flood;
    for (unsigned i = 0; i < messages; i++) flood += "PUB flood 1\r\nx\r\n";
    publisher.say_at_once(flood);
    unsigned answered = 0;
    bystander.on_pong = [&] {
      answered += subscriber.messages < messages * 5;
      bystander.say("PING\r\n");
    };
    bystander.say("PING\r\n");
    REQUIRE(scene.run_for(10 * sec, [&] { return subscriber.messages == messages * 5; }));
    CHECK(answered >= 10);
    bystander.on_pong = nullptr;
  }
}

// Of subscribing-is-no-work: to subscribe and to leave again takes longer than to publish, and says
// nothing that would fill a turn.
TEST_CASE("server: who says little is answered in the midst of subscriptions without end") {
  Scenario scenario = with_shards(1);
  scenario.work_per_turn = 200;
  Scene scene(2, scenario);
  Talker& greedy = scene.talker(0);
  Talker& bystander = scene.talker(1);
  constexpr unsigned rounds = 1000;
  std::string flood;
  for (unsigned i = 0; i < rounds; i++) flood += "SUB much 1\r\nUNSUB 1\r\n";
  greedy.say_at_once(flood + "PING\r\n");
  unsigned answered = 0;
  bystander.on_pong = [&] {
    answered += greedy.pongs == 1;
    bystander.say("PING\r\n");
  };
  bystander.say("PING\r\n");
  REQUIRE(scene.run_for(10 * sec, [&] { return greedy.pongs == 2; }));
  CHECK(answered >= 10);
  bystander.on_pong = nullptr;
}

// Of who-waits-to-tell-is-forgotten and interest-waits-without-bound: what a shard has not told
// stands before every message to the others. Who subscribes to much waits until it is told, and
// goes on then; those beside him publish meanwhile.
TEST_CASE("server: who subscribes to much goes on, and others publish meanwhile") {
  Scenario scenario = with_shards(2);
  scenario.mailbox_bytes = 4096;
  Scene scene(3, scenario);
  Talker& greedy = scene.talker(0);
  Talker& listener = scene.talker(1);
  Talker& publisher = scene.talker(2);  // On the shard of the greedy one.
  listener.say("SUB news 1\r\n");
  scene.settle(listener);
  unsigned passed = 0;
  listener.on_message = [&](const Reply&) {
    passed += greedy.pongs == 1;
    publisher.say("PUB news 1\r\nx\r\n");
  };
  for (unsigned sid = 1; sid <= 5000; sid++) {
    const std::string number = std::to_string(sid);
    greedy.say("SUB much." + number + " " + number + "\r\n");
  }
  greedy.say("PING\r\n");
  publisher.say("PUB news 1\r\nx\r\n");
  REQUIRE(scene.run_for(60 * sec, [&] { return greedy.pongs == 2; }));
  CHECK(passed >= 5);
  listener.on_message = nullptr;
  publisher.say("PUB much.1 1\r\nx\r\nPUB much.5000 1\r\nx\r\n");
  REQUIRE(scene.run_for(sec, [&] { return greedy.messages == 2; }));
}

// Of held-for-one-record: whoever publishes to a slow subscriber of another shard is held when that
// says so. Until it can say so again he must not go on as if nothing were.
TEST_CASE("server: who is held for a subscriber of another shard stays so while that is busy") {
  for (const unsigned held : {0u, 1u}) {  // One of them is the subscribers'.
    CAPTURE(held);
    Scenario scenario = with_shards(2);
    scenario.pending_bytes_max = 1 << 20;
    Scene scene(4, scenario);
    Talker& publisher = scene.talker(0);
    Talker& slow = scene.talker(1);
    Talker& fast = scene.talker(3);
    for (Talker* const subscriber : {&slow, &fast}) {
      subscriber->say("SUB news 1\r\n");
      scene.settle(*subscriber);
    }
    slow.sip(1000);
    const std::string message = "PUB news 1000\r\n" + std::string(1000, 'x') + "\r\n";
    std::string all;
    for (unsigned i = 0; i < 4000; i++) all += message;
    publisher.say(all);
    REQUIRE(scene.run_for(sec, [&] { return scene.stalls() > 0; }));
    const unsigned before = fast.messages;
    scene.runners[held]->hold(40 * ms);
    scene.run_for(42 * ms, [] { return false; });
    // A receive cap of 64 KiB every 10 ms, and what was on its way.
    CHECK(fast.messages - before < 500);
  }
}

// Of a-lent-turn-past-its-deadline: a thread that is held lends its shard all the same. Who runs it
// has not seen what clients have taken since, and must not find them too slow.
TEST_CASE("server: who has taken all is not cut off because his shard's thread was held") {
  for (const unsigned subscriber_index : {0u, 1u}) {  // On one of the shards, and one is held.
    for (const unsigned held : {0u, 1u}) {
      CAPTURE(subscriber_index);
      CAPTURE(held);
      Scenario scenario = with_shards(2);
      scenario.write_deadline = 100 * ms;
      Scene scene(2, scenario);
      Talker& subscriber = scene.talker(subscriber_index);
      Talker& publisher = scene.talker(1 - subscriber_index);
      subscriber.say("SUB news 1\r\n");
      scene.settle(subscriber);
      subscriber.sip(1);
      const std::string large(100'000, 'x');
      publisher.say("PUB news 100000\r\n" + large + "\r\n");
      scene.run_for(20 * ms, [] { return false; });

      scene.runners[held]->hold(sec);
      subscriber.sip(SIZE_MAX);
      scene.run_for(150 * ms, [] { return false; });
      publisher.say("PUB news 1\r\nx\r\n");
      REQUIRE(scene.run_for(3 * sec, [&] { return subscriber.messages == 2; }));
      scene.settle(subscriber);
    }
  }
}

TEST_CASE("server: while an index is full nobody may subscribe, and those who have go on") {
  Scene scene(2, with_shards(2));
  Talker& one = scene.talker(0);
  Talker& other = scene.talker(1);
  one.say("SUB before 1\r\n");
  scene.settle(one);

  scene.fill_an_index(true);
  one.say("SUB meanwhile 2\r\n");
  scene.settle(one);
  CHECK(one.errors == 1);
  other.say("PUB meanwhile 0\r\n\r\nPUB before 0\r\n\r\n");
  scene.settle(other);
  scene.settle(one);
  CHECK(one.messages == 1);

  scene.fill_an_index(false);
  one.say("SUB after 3\r\n");
  scene.settle(one);
  other.say("PUB after 0\r\n\r\n");
  scene.settle(other);
  scene.settle(one);
  CHECK(one.errors == 1);
  CHECK(one.messages == 2);
}
