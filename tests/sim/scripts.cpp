#include "tests/sim/scripts.hpp"

#include <array>
#include <set>
#include <string>
#include <vector>

namespace peal::sim {
namespace {

constexpr std::array<const char*, 8> subjects = {"a",     "a.b", "a.c", "a.b.c",
                                                 "b.b.c", "b",   "d.0", "d.1"};
constexpr std::array<const char*, 12> filters = {"a",     "a.b",   "a.c", "a.*", "a.>",   "*.b",
                                                 "*.b.c", "b.*.c", "b",   "d.*", "u.1.*", "u.>"};
constexpr std::array<const char*, 3> wide = {">", "*", "*.*"};
constexpr std::array<const char*, 3> queues = {"q1", "q2", "q3"};
constexpr uint64_t storm_subjects = 100;

/// Long, so that few of them fill a mailbox.
std::string storm_subject(Chance& chance) {
  const uint64_t number = chance.below(storm_subjects);
  return "s." + std::to_string(number) + "." + std::string(number % 3 * 40 + 1, 'x');
}

std::string draw_subject(const Stage& stage, Chance& chance) {
  if (stage.scenario.theme == Theme::queues && chance.percent(80)) {
    return chance.percent(70) ? "a.b" : "a.c";
  }
  if (stage.scenario.theme == Theme::flood || stage.scenario.theme == Theme::bulk) {
    return chance.percent(60) ? "a" : chance.percent(50) ? "b" : "u.0.";
  }
  if (stage.scenario.theme == Theme::storm && chance.percent(60)) {
    return storm_subject(chance);
  }
  if (stage.accounts && chance.percent(25)) return "p." + std::to_string(chance.below(3));
  // One in six is a subject that was never seen before and never will be again.
  if (chance.percent(15)) return "u." + std::to_string(chance.below(3)) + ".";
  return chance.one_of(subjects);
}

const char* draw_filter(const Stage& stage, Chance& chance) {
  static constexpr std::array<const char*, 4> overlapping = {"a.b", "a.*", "a.>", "*.b"};
  if (stage.scenario.theme == Theme::queues && chance.percent(90)) {
    return chance.one_of(overlapping);
  }
  if (stage.scenario.theme == Theme::flood || stage.scenario.theme == Theme::bulk) {
    return chance.percent(50) ? "a" : chance.percent(50) ? "*" : ">";
  }
  static constexpr std::array<const char*, 4> deniable = {"p.*", "p.>", "p.1", "p.2"};
  if (stage.accounts && chance.percent(25)) return chance.one_of(deniable);
  if (stage.scenario.wide_filters && chance.percent(15)) return chance.one_of(wide);
  return chance.one_of(filters);
}

size_t draw_payload_bytes(const Stage& stage, Chance& chance) {
  if (stage.scenario.theme == Theme::flood) return static_cast<size_t>(chance.skewed(0, 60));
  if (stage.scenario.theme == Theme::bulk) {
    return static_cast<size_t>(
        chance.between(1000, static_cast<int64_t>(stage.scenario.payload_bytes_max)));
  }
  if (chance.percent(stage.scenario.large_rate)) {
    return static_cast<size_t>(
        chance.skewed(100, static_cast<int64_t>(stage.scenario.payload_bytes_max)));
  }
  return static_cast<size_t>(chance.percent(10) ? 0 : chance.between(0, 200));
}

// ---- Publishes, in bursts, on anything; flushes now and then.
class Publisher : public Client {
 public:
  Publisher(Stage& stage, const Habits& habits)
      : Client(stage, habits),
        left_(1 + chance().below(stage.scenario.messages)),
        burst_max_(1 + chance().below(stage.scenario.burst)) {}

 private:
  bool act() override {
    for (uint64_t n = 1 + chance().below(burst_max_); n > 0 && left_ > 0; n--, left_--) {
      const size_t bytes = draw_payload_bytes(stage_, chance());
      const bool with_reply = bytes >= 16 && !party_.options.no_responders && chance().percent(10);
      pub(draw_subject(stage_, chance()), bytes,
          with_reply ? "answers." + std::to_string(left_) : std::string(), chance().percent(10));
    }
    if (left_ == 0 || chance().percent(20)) flush();
    return left_ > 0;
  }

  uint64_t left_;
  uint64_t burst_max_;
};

// ---- Subscribes and stays, or changes its mind all the time; may publish too.
class Subscriber : public Client {
 public:
  Subscriber(Stage& stage, const Habits& habits)
      : Client(stage, habits),
        churns_(chance().percent(50)),
        publishes_(chance().percent(25)),
        steps_(chance().below(40)) {}

 private:
  bool act() override {
    if (mine_.empty() && !begun_) {
      begun_ = true;
      for (uint64_t n = 1 + chance().below(4); n > 0; n--) add();
      if (chance().percent(80)) flush();
      return true;
    }
    if (steps_-- == 0) return false;
    if (publishes_ && chance().percent(50)) {
      pub(draw_subject(stage_, chance()), draw_payload_bytes(stage_, chance()), {},
          chance().percent(10));
    }
    if (churns_) churn();
    if (chance().percent(30)) flush();
    return true;
  }

  void add() {
    const bool queue = chance().percent(stage_.scenario.theme == Theme::queues ? 80 : 35);
    const char* group = queue ? chance().one_of(queues) : "";
    Subscription& subscription = sub(draw_filter(stage_, chance()), group);
    if (chance().percent(churns_ ? 25 : 5)) {
      unsub(subscription, 1 + static_cast<uint32_t>(chance().skewed(0, 20)));
    } else {
      mine_.push_back(subscription.id);
    }
  }

  void churn() {
    if (mine_.empty() || chance().percent(40)) return add();
    const size_t at = chance().below(mine_.size());
    Subscription& subscription = stage_.oracle.subscription(mine_[at]);
    // Counted from SUB, so it may be full already. On a sid that was used before, only the server
    // knows which of the two a message was counted for.
    if (chance().percent(20) && reused_sids_.count(subscription.sid) == 0) {
      unsub(subscription, 1 + static_cast<uint32_t>(chance().skewed(0, 30)));
      mine_.erase(mine_.begin() + static_cast<ptrdiff_t>(at));
      return;
    }
    unsub(subscription);
    mine_.erase(mine_.begin() + static_cast<ptrdiff_t>(at));
    if (chance().percent(50)) {  // The same sid again at once, for the same or for something else.
      const std::string filter =
          chance().percent(50) ? subscription.filter : draw_filter(stage_, chance());
      reused_sids_.insert(subscription.sid);
      mine_.push_back(sub(filter, subscription.queue, subscription.sid).id);
    }
  }

  const bool churns_;
  const bool publishes_;
  uint64_t steps_;
  bool begun_ = false;
  std::vector<uint32_t> mine_;  // In force, without a maximum.
  std::set<std::string> reused_sids_;
};

// ---- Subscribes to hundreds of things, and thinks better of it.
class Stormer : public Client {
 public:
  Stormer(Stage& stage, const Habits& habits) : Client(stage, habits) {}

 private:
  bool act() override {
    if (chance().percent(60) || mine_.empty()) {
      for (uint64_t n = 1 + chance().below(300); n > 0; n--) {
        const bool queue = chance().percent(30);
        const char* group = queue ? chance().one_of(queues) : "";
        mine_.push_back(sub(storm_subject(chance()), group).id);
      }
    } else {
      for (const uint32_t id : mine_) unsub(stage_.oracle.subscription(id));
      mine_.clear();
    }
    if (chance().percent(70)) flush();
    return --steps_ > 0;
  }

  int steps_ = 1 + static_cast<int>(chance().below(4));
  std::vector<uint32_t> mine_;
};

// ---- Answers requests, or hands them on to the next service: never flushes before.
class Service : public Client {
 public:
  Service(Stage& stage, const Habits& habits, unsigned number)
      : Client(stage, habits), number_(number) {}

 private:
  bool act() override {
    const std::string subject = "svc." + std::to_string(number_);
    sub(subject, chance().percent(70) ? "workers" : "");
    if (chance().percent(50)) flush();
    return false;
  }

  void on_message(const Message& request, Subscription&) override {
    if (request.reply.empty()) return;
    const bool hand_on =
        number_ + 1 < stage_.scenario.services && request.hops < 4 && chance().percent(40);
    const std::string to = hand_on ? "svc." + std::to_string(number_ + 1) : request.reply;
    Message& answer =
        pub(to, 8 + draw_payload_bytes(stage_, chance()), hand_on ? request.reply : std::string());
    answer.hops = request.hops + 1;
  }

  const unsigned number_;
};

// ---- Asks: SUB on an inbox and PUB of the request, with nothing between.
class Requester : public Client {
 public:
  Requester(Stage& stage, const Habits& habits)
      : Client(stage, habits),
        left_(1 + chance().below(20)),
        shared_inbox_(chance().percent(40)),
        outstanding_max_(1 + chance().below(4)) {}

 private:
  bool act() override {
    if (outstanding_ >= outstanding_max_ && patience_-- > 0) return true;
    outstanding_ = 0;  // Some are never answered; nobody waits for ever.
    patience_ = 20;
    const std::string me = "_INBOX.c" + std::to_string(party_.id);
    if (shared_inbox_ && !begun_) sub(me + ".*");
    begun_ = true;
    while (outstanding_ < outstanding_max_ && left_ > 0) {
      const std::string inbox = me + "." + std::to_string(left_);
      if (!shared_inbox_) {
        Subscription& subscription = sub(inbox);
        if (chance().percent(70)) unsub(subscription, 1);
      }
      const std::string to = "svc." + std::to_string(chance().below(5));
      pub(to, 8 + draw_payload_bytes(stage_, chance()), inbox, chance().percent(20));
      left_--;
      outstanding_++;
    }
    // More of the same, without a question: it may bring the request to the other shard early.
    if (chance().percent(30)) {
      for (uint64_t n = chance().below(40); n > 0; n--)
        pub("svc." + std::to_string(chance().below(5)), 8 + chance().below(60));
    }
    if (left_ == 0 || chance().percent(20)) flush();
    return left_ > 0;
  }

  void on_message(const Message&, Subscription&) override { answered(); }
  void on_refusal(const Message&, Subscription&) override { answered(); }
  void answered() {
    if (outstanding_ > 0) outstanding_--;
  }

  uint64_t left_;
  const bool shared_inbox_;
  const uint64_t outstanding_max_;
  uint64_t outstanding_ = 0;
  int patience_ = 20;
  bool begun_ = false;
};

// ---- Says what no client should say.
class Babbler : public Client {
 public:
  Babbler(Stage& stage, const Habits& habits) : Client(stage, habits) {}

 private:
  bool babbles() const override { return true; }

  bool act() override {
    static constexpr std::array<const char*, 12> rubbish = {"GET / HTTP/1.1\r\n\r\n",
                                                            "PUB a.b 5\r\nmuch more than five\r\n",
                                                            "SUB\r\n",
                                                            "PUB x 99999999999\r\n",
                                                            "UNSUB 77\r\nPING\r\n",
                                                            "CONNECT {nonsense\r\n",
                                                            "PUB never.whole 5000\r\n",
                                                            "MSG a.b 1 2\r\nhi\r\n",
                                                            "+OK\r\n+OK\r\n",
                                                            "SUB never..valid 1\r\n",
                                                            "-ERR 'me too'\r\n",
                                                            "\r\n"};
    if (chance().percent(30)) {
      std::string noise;
      for (int64_t n = chance().skewed(1, 6000); n > 0; n--) {
        noise += static_cast<char>(chance().next());
      }
      // Not by chance a word that others would hear.
      for (char& letter : noise) letter = letter == 'P' || letter == 'p' ? '#' : letter;
      raw(noise);
    } else {
      raw(chance().one_of(rubbish));
    }
    return chance().percent(70);
  }
};

// ---- Does nothing, for as long as it is let.
class Idler : public Client {
 public:
  using Client::Client;

 private:
  bool act() override { return false; }
};

size_t draw_kernel_bytes(const Scenario& scenario, Chance& chance) {
  return scenario.narrow && chance.percent(50) ? static_cast<size_t>(chance.skewed(16, 2048))
                                               : size_t{1} << chance.between(12, 18);
}

Habits draw_habits(const Stage& stage, Chance& chance) {
  const Scenario& scenario = stage.scenario;
  Habits habits;
  habits.up_bytes = draw_kernel_bytes(scenario, chance);
  habits.down_bytes = draw_kernel_bytes(scenario, chance);
  habits.cuts_writes = chance.percent(50) ? 0 : static_cast<double>(chance.between(0, 100));
  habits.cuts_reads = chance.percent(50) ? 0 : static_cast<double>(chance.between(0, 100));
  habits.think_max = chance.skewed(10, 20'000) * us;
  habits.says_connect = !chance.percent(5);
  PartyOptions& options = habits.options;
  options.verbose = chance.percent(15);
  options.echo = !chance.percent(20);
  options.headers = !chance.percent(20);
  options.no_responders = options.headers && chance.percent(50);
  options.may_be_cut_off = !scenario.is_ample();
  if (stage.accounts) {
    options.user = static_cast<User>(chance.below(4));
    if (options.user == User::rex) options.verbose = false;  // Who is denied something gets no +OK.
    if (options.user == User::gus) options.may_be_cut_off = true;
  }
  if (chance.percent(scenario.leaving)) {
    habits.leaves_at = stage.world.now() + chance.between(0, scenario.chaos);
    habits.leaves_how = chance.percent(70) ? Leaving::close : Leaving::half_close;
  }
  if (chance.percent(scenario.misbehaving)) {
    options.may_be_cut_off = true;
    habits.slow_bytes = static_cast<size_t>(chance.skewed(1, 5000));
    habits.slow_every = chance.skewed(10, 20'000) * us;
    habits.reading = chance.percent(50) ? Reading::slow : Reading::stuck;
  }
  return habits;
}

std::unique_ptr<Client> make_by_theme(Stage& stage, const Habits& habits) {
  Chance& chance = stage.world.chance;
  const Theme theme = stage.scenario.theme;
  if (theme == Theme::storm && chance.percent(40)) return std::make_unique<Stormer>(stage, habits);
  if (theme == Theme::flood && chance.percent(40)) {
    return std::make_unique<Publisher>(stage, habits);
  }
  if (theme == Theme::requests && chance.percent(60)) {
    return std::make_unique<Requester>(stage, habits);
  }
  switch (chance.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return std::make_unique<Publisher>(stage, habits);
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
      return std::make_unique<Subscriber>(stage, habits);
    case 9:
    case 10:
      return std::make_unique<Requester>(stage, habits);
    default:
      break;
  }
  if (stage.scenario.services > 0 && chance.percent(80)) {
    const auto number = static_cast<unsigned>(chance.below(stage.scenario.services));
    return std::make_unique<Service>(stage, habits, number);
  }
  return std::make_unique<Idler>(stage, habits);
}

}  // namespace

std::unique_ptr<Client> make_client(Stage& stage) {
  Chance& chance = stage.world.chance;
  Habits habits = draw_habits(stage, chance);
  if (chance.percent(stage.scenario.misbehaving / 3)) {
    habits.options.may_be_cut_off = true;
    habits.reading = Reading::stuck;  // Whatever is said to it, it goes on.
    habits.slow_bytes = SIZE_MAX;
    return std::make_unique<Babbler>(stage, habits);
  }
  return make_by_theme(stage, habits);
}

std::unique_ptr<Client> make_late_client(Stage& stage) {
  Habits habits = draw_habits(stage, stage.world.chance);
  habits.winds_down = false;
  habits.reading = Reading::prompt;
  habits.leaves_at = never;
  if (habits.options.user != User::gus) habits.options.may_be_cut_off = !stage.scenario.is_ample();
  habits.up_bytes = habits.down_bytes = 64 * 1024;
  return make_by_theme(stage, habits);
}

std::unique_ptr<Client> make_service(Stage& stage, unsigned number) {
  Habits habits = draw_habits(stage, stage.world.chance);
  habits.reading = Reading::prompt;
  return std::make_unique<Service>(stage, habits, number);
}

Prober::Prober(Stage& stage, const Habits& habits) : Client(stage, habits) {}

std::unique_ptr<Prober> Prober::make(Stage& stage) {
  Habits habits;
  habits.winds_down = false;
  habits.options.no_responders = true;
  habits.options.may_be_cut_off = !stage.scenario.is_ample();
  return std::make_unique<Prober>(stage, habits);
}

bool Prober::act() {
  switch (step_++) {
    case 0:
      sub("probe.>");
      flush();
      return true;
    case 1:
      for (int n = 0; n < 3; n++) pub("probe.", 20);
      flush();
      return true;
  }
  return false;
}

void Prober::speak() { pub("probe.", 20); }

void Prober::hesitate() {
  Subscription& subscription = sub("nothing");
  if (chance().percent(20)) flush();
  if (chance().percent(90)) unsub(subscription);
  flush();
}

}  // namespace peal::sim
