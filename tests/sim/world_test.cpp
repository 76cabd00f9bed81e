// Goal: the world can be trusted before a server runs in it: it keeps the seam's promises, breaks
// nothing that it has not promised to leave alone, and notices misuse.
// Method: reactors driven by hand for single rules, and a small echo server for all of them
// together.

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/oracle.hpp"
#include "tests/sim/reply_reader.hpp"
#include "tests/sim/runner.hpp"
#include "tests/sim/world.hpp"

using namespace peal;
using namespace peal::sim;
using core::Completion;
using core::OpKind;
using core::Token;

namespace {

constexpr Token accept_token{OpKind::accept, 0, 0};
constexpr Token recv_token{OpKind::recv, 1, 1};
constexpr Token send_token{OpKind::send, 1, 1};

std::unique_ptr<core::Reactor> make_reactor(uint32_t cap_bytes = 64 * 1024) {
  core::ReactorConfig config;
  config.recv_cap_bytes = cap_bytes;
  auto made = core::Reactor::create(config);
  return std::move(std::get<std::unique_ptr<core::Reactor>>(made));
}

struct QuietClient : LinkClient {
  void on_link_changed() override {}
};

/// One reactor and one connection, moved by hand.
struct Hand {
  explicit Hand(const Faults& faults = {}, const Kernel& kernel = {}, uint64_t seed = 1)
      : world(seed, faults) {
    world.kernel = kernel;
    reactor = make_reactor();
    listener = world.listen(4);
    link = world.connect(listener, client, 64 * 1024, 64 * 1024);
    for (int i = 0; i < 2; i++) reactor->accept(listener, accept_token);
    descriptor = next().result;
  }

  /// The next completion; its bytes are copied, and its buffer given back.
  Completion next() {
    for (int i = 0; i < 10'000; i++) {
      if (queue.empty()) {
        for (const Completion& done : reactor->wait(0)) {
          queue.push_back(done);
          text += done.bytes;
        }
        reactor->give_back();
      }
      if (!queue.empty()) {
        const Completion done = queue.front();
        queue.erase(queue.begin());
        return done;
      }
      if (!world.run_next()) break;
    }
    FAIL("nothing completes");
    return {};
  }
  bool silent() {
    while (world.run_next()) {
    }
    const bool none = reactor->wait(0).empty();
    reactor->give_back();
    return none && queue.empty();
  }
  void send(std::string_view bytes, Token token = send_token) {
    const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    reactor->send(descriptor, {&part, 1}, token);
  }

  World world;
  QuietClient client;
  std::unique_ptr<core::Reactor> reactor;
  Link* link = nullptr;
  int listener = -1;
  int descriptor = -1;
  std::vector<Completion> queue;
  std::string text;  // All that was received.
};

template <typename Act>
std::string misuse_of(Act&& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.kind;
  }
  return "unnoticed";
}

}  // namespace

TEST_CASE("world: a receive brings what was written, in order, until it ends") {
  Hand hand;
  hand.reactor->recv(hand.descriptor, recv_token);
  CHECK(hand.link->client_write("hello ") == 6);
  const Completion first = hand.next();
  CHECK(first.token.pack() == recv_token.pack());
  CHECK(first.result == 6);
  CHECK(first.more);
  hand.link->client_write("world");
  hand.link->client_shutdown();
  while (hand.next().more) {
  }
  CHECK(hand.text == "hello world");
}

TEST_CASE("world: a receive ends at its cap and can be armed again") {
  World world(1);
  QuietClient client;
  auto reactor = make_reactor(100);
  const int listener = world.listen(1);
  Link* link = world.connect(listener, client, 1000, 1000);
  CHECK(world.connect(listener, client, 1, 1) == nullptr);  // The backlog is full.
  const int descriptor = world.open(*link);
  link->client_write(std::string(250, 'x'));
  std::vector<int> results;
  while (results.size() < 3) {
    reactor->recv(descriptor, recv_token);
    for (bool more = true; more;) {
      for (const Completion& done : reactor->wait(0)) {
        results.push_back(done.result);
        more = done.more;
      }
      reactor->give_back();
      if (results.size() == 3) more = false;
      world.run_next();
    }
  }
  CHECK(results == std::vector<int>{100, 100, 50});
}

TEST_CASE("world: without a buffer a receive fails, and give_back() brings buffers back") {
  Kernel kernel;
  kernel.receive_buffers = 2;
  kernel.receive_buffer_bytes = 10;
  Hand hand({}, kernel);
  CHECK(hand.reactor->receive_buffers() == 2);
  hand.reactor->recv(hand.descriptor, recv_token);
  hand.link->client_write(std::string(50, 'x'));
  while (hand.world.run_next()) {
  }
  hand.reactor->wait(0);
  hand.reactor->give_back();
  while (hand.world.run_next()) {
  }
  const auto completions = hand.reactor->wait(0);
  REQUIRE(completions.size() == 3);
  CHECK(completions[0].result == 10);
  CHECK(completions[1].result == 10);
  CHECK(completions[2].result == -ENOBUFS);
  CHECK_FALSE(completions[2].more);
  CHECK(hand.reactor->receive_buffers() == 0);
  [[maybe_unused]] const char* stale = completions[0].bytes.data();
  hand.reactor->give_back();
  CHECK(hand.reactor->receive_buffers() == 2);
#ifndef PEAL_SIM_ASAN
  CHECK(*stale == BufferPool::stale);
#endif
}

TEST_CASE("world: a cancelled operation completes, after what was on its way") {
  Hand hand;
  hand.reactor->recv(hand.descriptor, recv_token);
  CHECK(hand.silent());
  hand.link->client_write("last");
  hand.reactor->cancel(recv_token);
  int result = 0;
  for (bool more = true; more;) {
    const Completion done = hand.next();
    result = done.result;
    more = done.more;
  }
  CHECK(result == -ECANCELED);
  CHECK((hand.text.empty() || hand.text == "last"));
  hand.reactor->cancel({OpKind::recv, 77, 1});  // Nobody has it, and nobody minds.
  CHECK(hand.silent());
}

TEST_CASE("world: a send waits for room and says how much it took") {
  Hand hand;
  QuietClient client;
  Link* narrow = hand.world.connect(hand.listener, client, 10, 10);
  hand.descriptor = hand.next().result;
  REQUIRE(hand.descriptor == narrow->descriptor);
  const std::string bytes = "0123456789abcdef";
  hand.send(bytes);
  CHECK(hand.next().result == 10);
  hand.send(std::string_view(bytes).substr(10));
  CHECK(hand.silent());
  std::string read;
  narrow->client_read(100, read);
  CHECK(hand.next().result == 6);
  narrow->client_read(100, read);
  CHECK(read == bytes);
}

// So that a leap of the clock excuses no more than the send that was due within it.
TEST_CASE("world: a deadline that leapt counts for the send in flight, and for no later one") {
  Hand hand;
  const std::string more_than_fits(100'000, 'x');
  const auto leap_with_send_in_flight = [&](Token token) {
    CHECK(hand.link->send_asked == never);
    hand.send(more_than_fits, token);
    CHECK(hand.link->send_asked <= hand.world.now());
    hand.link->deadline_leapt = true;
  };
  leap_with_send_in_flight(send_token);
  CHECK(hand.next().result > 0);
  CHECK_FALSE(hand.link->deadline_leapt);

  leap_with_send_in_flight(send_token);
  hand.reactor->cancel(send_token);
  CHECK(hand.next().result == -ECANCELED);
  CHECK(hand.link->deadline_leapt);
}

TEST_CASE("world: a reset ends what is in flight") {
  Hand hand;
  const std::string bytes(100, 'x');
  hand.reactor->recv(hand.descriptor, recv_token);
  hand.send(bytes);
  hand.reactor->wait(0);
  hand.world.reset(*hand.link, "the test");
  int ended = 0;
  while (ended < 2) {
    const Completion done = hand.next();
    CHECK(done.result < 0);
    ended += done.more ? 0 : 1;
  }
  hand.reactor->close(hand.descriptor);
  CHECK(hand.world.descriptors_open() == 1);
}

TEST_CASE("world: without descriptors accepting ends, and goes on when asked again") {
  Hand hand;
  QuietClient client;
  hand.world.descriptors_max = hand.world.descriptors_open();
  hand.world.connect(hand.listener, client, 100, 100);
  const Completion refused = hand.next();
  CHECK(refused.result == -EMFILE);
  CHECK_FALSE(refused.more);
  hand.world.descriptors_max = 100;
  hand.reactor->accept(hand.listener, accept_token);
  CHECK(hand.next().result >= 0);
}

TEST_CASE("world: a wake goes out with the waker's next wait, a notice at once") {
  World world(1);
  auto waker = make_reactor();
  auto sleeper = make_reactor();
  waker->wake(sleeper->handle());
  while (world.run_next()) {
  }
  CHECK(sleeper->wait(0).empty());
  waker->wait(0);
  while (world.run_next()) {
  }
  REQUIRE(sleeper->wait(0).size() == 1);
  sleeper->give_back();
  sleeper->notify();
  while (world.run_next()) {
  }
  const auto completions = sleeper->wait(0);
  REQUIRE(completions.size() == 1);
  CHECK(completions[0].token.kind == OpKind::notify);
}

TEST_CASE("world: misuse of the seam is noticed") {
  const std::string bytes = "bytes";
  SUBCASE("two receives") {
    Hand hand;
    hand.reactor->recv(hand.descriptor, recv_token);
    CHECK(misuse_of([&] { hand.reactor->recv(hand.descriptor, {OpKind::recv, 2, 1}); }) == "seam");
  }
  SUBCASE("two sends") {
    Hand hand;
    hand.send(bytes);
    CHECK(misuse_of([&] { hand.send(bytes, {OpKind::send, 2, 1}); }) == "seam");
  }
  SUBCASE("two operations with one token") {
    Hand hand;
    QuietClient client;
    hand.world.connect(hand.listener, client, 10, 10);
    const int other = hand.next().result;
    hand.reactor->recv(hand.descriptor, recv_token);
    CHECK(misuse_of([&] { hand.reactor->recv(other, recv_token); }) == "seam");
  }
  SUBCASE("closing what is in use") {
    Hand hand;
    hand.reactor->recv(hand.descriptor, recv_token);
    CHECK(misuse_of([&] { hand.reactor->close(hand.descriptor); }) == "seam");
    CHECK(misuse_of([&] { hand.reactor->close(hand.listener); }) == "seam");
  }
  SUBCASE("closing twice") {
    Hand hand;
    hand.reactor->close(hand.descriptor);
    CHECK(misuse_of([&] { hand.reactor->close(hand.descriptor); }) == "seam");
  }
  SUBCASE("nothing to send") {
    Hand hand;
    CHECK(misuse_of([&] { hand.send({}); }) == "seam");
  }
  SUBCASE("waiting with completions still held") {
    Hand hand;
    hand.reactor->recv(hand.descriptor, recv_token);
    hand.link->client_write("x");
    CHECK(misuse_of([&] {
            for (int i = 0; i < 10; i++) {
              hand.reactor->wait(0);
              hand.world.run_next();
            }
          }) == "seam");
  }
  SUBCASE("memory of a send reused before it is done") {
    Faults faults;
    faults.late_completion = 100;
    Hand hand(faults);
    std::string mine = "what was to be sent";
    hand.send(mine);
    CHECK(misuse_of([&] {
            hand.reactor->wait(0);
            while (hand.link->down.size() == 0) hand.world.run_next();
            mine[3] = '!';
            hand.next();
          }) == "seam");
  }
}

namespace {

// ---- The echo: every rule of the seam in sixty lines, as a server must keep them.
class EchoShard : public Tickable {
 public:
  EchoShard(World& world, int listener) : reactor_(make_reactor(1024)) {
    reactor_->accept(listener, accept_token);
    listener_ = listener;
    runner_ = std::make_unique<Runner>(world, *this, *world.reactor(reactor_->handle()));
  }

  bool tick() override {
    for (const Completion& done : reactor_->wait(next_deadline_ns())) {
      switch (done.token.kind) {
        case OpKind::accept:
          if (done.result >= 0) begin(done.result);
          if (!done.more) reactor_->accept(listener_, accept_token);
          break;
        case OpKind::recv:
          on_recv(done.token.slot, done);
          break;
        case OpKind::send:
          on_send(done.token.slot, done);
          break;
        default:
          break;
      }
    }
    reactor_->give_back();
    for (uint32_t slot = 0; slot < echoes_.size(); slot++) settle(slot);
    return true;
  }
  int64_t next_deadline_ns() const override { return INT64_MAX; }

 private:
  struct Echo {
    int descriptor = -1;
    bool receiving = false;
    bool sending = false;
    bool ended = false;
    bool broken = false;
    std::string waiting;
    std::string with_kernel;
  };

  void begin(int descriptor) {
    echoes_.emplace_back();
    echoes_.back().descriptor = descriptor;
  }
  void on_recv(uint32_t slot, const Completion& done) {
    Echo& echo = echoes_[slot];
    echo.receiving = done.more;
    if (done.result > 0) echo.waiting += done.bytes;
    if (done.result == 0) echo.ended = true;
    if (done.result < 0 && done.result != -ENOBUFS) echo.broken = true;
  }
  void on_send(uint32_t slot, const Completion& done) {
    Echo& echo = echoes_[slot];
    echo.sending = false;
    if (done.result < 0) echo.broken = true;
    if (done.result > 0) {
      echo.waiting.insert(0, echo.with_kernel, static_cast<size_t>(done.result));
    }
    echo.with_kernel.clear();
  }
  void settle(uint32_t slot) {
    Echo& echo = echoes_[slot];
    if (echo.descriptor < 0) return;
    if (!echo.receiving && !echo.ended && !echo.broken && reactor_->receive_buffers() > 0) {
      reactor_->recv(echo.descriptor, {OpKind::recv, slot, 1});
      echo.receiving = true;
    }
    if (!echo.sending && !echo.broken && !echo.waiting.empty()) {
      echo.with_kernel.swap(echo.waiting);
      const iovec part{echo.with_kernel.data(), echo.with_kernel.size()};
      reactor_->send(echo.descriptor, {&part, 1}, {OpKind::send, slot, 1});
      echo.sending = true;
    }
    if (echo.receiving || echo.sending || !(echo.ended || echo.broken)) return;
    reactor_->close(echo.descriptor);
    echo.descriptor = -1;
  }

  std::unique_ptr<core::Reactor> reactor_;
  std::unique_ptr<Runner> runner_;
  int listener_ = -1;
  std::deque<Echo> echoes_;  // They must not move: the kernel reads from them.
};

class Shouter : public Actor, public LinkClient {
 public:
  Shouter(World& world, int listener, size_t bytes) : world_(world), listener_(listener) {
    while (said_.size() < bytes) said_ += static_cast<char>(world.chance.next());
    world_.schedule(world_.now(), *this, 0);
  }
  void run(uint32_t, uint64_t) override {
    planned_ = false;
    if (link_ == nullptr) {
      const auto bytes = [&] { return static_cast<size_t>(world_.chance.skewed(1, 4096)); };
      link_ = world_.connect(listener_, *this, bytes(), bytes());
      if (link_ == nullptr) return plan(ms);
      if (world_.chance.percent(world_.faults.reset)) link_->reset_after_bytes = bytes();
    }
    written_ += link_->client_write(
        std::string_view(said_).substr(written_, 1 + world_.chance.below(5000)));
    if (written_ == said_.size()) link_->client_shutdown();
    link_->client_read(static_cast<size_t>(world_.chance.skewed(1, 4096)), heard_);
    if (link_->client_sees_end()) {
      ended_ = true;
      return;
    }
    plan(world_.delay());
  }
  void on_link_changed() override { plan(world_.delay()); }
  void plan(Time in) {
    if (planned_ || ended_) return;
    planned_ = true;
    world_.schedule(world_.now() + in, *this, 0);
  }

  bool ended() const { return ended_; }
  bool heard_all() const { return heard_ == said_; }
  bool heard_a_part() const { return said_.starts_with(heard_); }
  bool was_reset() const { return link_->was_reset; }

 private:
  World& world_;
  const int listener_;
  std::string said_;
  std::string heard_;
  size_t written_ = 0;
  Link* link_ = nullptr;
  bool planned_ = true;
  bool ended_ = false;
};

}  // namespace

TEST_CASE("world: an echo gives back every byte in order under all faults") {
  uint64_t whole = 0;
  uint64_t reset = 0;
  for (uint64_t seed = 1; seed <= 300; seed++) {
    CAPTURE(seed);
    Chance chance(seed);
    Faults faults = Faults::draw(chance);
    faults.pause_max = ms;
    World world(seed, faults);
    world.kernel.receive_buffers = static_cast<unsigned>(chance.between(1, 8));
    world.kernel.receive_buffer_bytes = static_cast<size_t>(chance.skewed(1, 4096));
    const int listener = world.listen(2);
    EchoShard shard(world, listener);
    std::vector<std::unique_ptr<Shouter>> shouters;
    for (int i = 0; i < 5; i++) {
      const auto bytes = static_cast<size_t>(chance.skewed(1, 4000));
      shouters.push_back(std::make_unique<Shouter>(world, listener, bytes));
    }
    for (int i = 0; i < 1'000'000; i++) {
      bool all = true;
      for (const auto& shouter : shouters) all = all && shouter->ended();
      if (all || !world.run_next()) break;
    }
    for (const auto& shouter : shouters) {
      REQUIRE(shouter->ended());
      REQUIRE(shouter->heard_a_part());
      if (!shouter->was_reset()) REQUIRE(shouter->heard_all());
      whole += shouter->heard_all() ? 1 : 0;
      reset += shouter->was_reset() ? 1 : 0;
    }
  }
  CHECK(whole > 1000);
  CHECK(reset > 20);
}

TEST_CASE("runner: a shard that nobody wakes sleeps until its deadline") {
  struct Napper : Tickable {
    explicit Napper(World& world_) : world(world_), reactor(make_reactor()) {}
    bool tick() override {
      reactor->wait(deadline);
      reactor->give_back();
      woke_at.push_back(world.now());
      deadline = deadlines.empty() ? INT64_MAX : deadlines.back();
      if (!deadlines.empty()) deadlines.pop_back();
      return true;
    }
    int64_t next_deadline_ns() const override { return deadline; }
    World& world;
    std::unique_ptr<core::Reactor> reactor;
    std::vector<int64_t> deadlines;
    std::vector<Time> woke_at;
    int64_t deadline = 0;
  };
  World world(1);
  Napper napper(world);
  const Time later = world.now() + 100 * sec;
  napper.deadlines = {later};
  Runner runner(world, napper, *world.reactor(napper.reactor->handle()));
  while (world.run_next()) {
  }
  REQUIRE(napper.woke_at.size() == 2);
  CHECK(napper.woke_at[1] >= later);
  CHECK(napper.woke_at[1] < later + ms);
  napper.reactor->notify();
  while (world.run_next()) {
  }
  CHECK(napper.woke_at.size() == 3);
}

TEST_CASE("oracle: knows which filter matches which subject") {
  struct Row {
    const char* filter;
    const char* subject;
    bool expected;
  };
  for (const Row& row :
       {Row{"a", "a", true},      {"a", "b", false},         {"a", "a.b", false},
        {"a.b", "a", false},      {"*", "a", true},          {"*", "a.b", false},
        {">", "a", true},         {">", "a.b.c", true},      {"a.>", "a", false},
        {"a.>", "a.b", true},     {"a.>", "b.b", false},     {"a.*", "a.b", true},
        {"a.*", "a", false},      {"a.*", "a.b.c", false},   {"*.b.c", "a.b.c", true},
        {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"*.*", "a.b", true},
        {"a*", "a*", true},       {"a*", "ab", false}}) {
    CAPTURE(row.filter);
    CAPTURE(row.subject);
    CHECK(matches(row.filter, row.subject) == row.expected);
  }
}

TEST_CASE("reply reader: gives the same replies however they are cut") {
  const std::string all =
      "INFO {\"a\":1} \r\nMSG a.b 1 5\r\nhe\r\no\r\nPONG\r\n+OK\r\nHMSG a 2 r.s 12 15\r\n"
      "NATS/1.0\r\n\r\nabc\r\n-ERR 'x'\r\nMSG c 3 0\r\n\r\nPING\r\n";
  const auto read = [](std::initializer_list<std::string_view> parts) {
    ReplyReader reader;
    std::string text;
    for (const std::string_view part : parts) {
      reader.bytes() += part;
      while (const auto reply = reader.next()) {
        text += std::to_string(static_cast<int>(reply->kind)) + "|" + std::string(reply->text) +
                "|" + std::string(reply->subject) + "|" + std::string(reply->sid) + "|" +
                std::string(reply->reply) + "|" + std::string(reply->headers) + "|" +
                std::string(reply->payload) + "\n";
      }
    }
    return text;
  };
  const std::string expected = read({all});
  CHECK(std::count(expected.begin(), expected.end(), '|') == 8 * 6);
  for (size_t i = 0; i <= all.size(); i++) {
    const std::string_view view = all;
    REQUIRE(read({view.substr(0, i), view.substr(i)}) == expected);
  }
}
