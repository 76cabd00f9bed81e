#include "tests/sim/reference_broker.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace peal::sim {
namespace {

using core::Completion;
using core::OpKind;
using core::Token;

class BrokerShard;

struct Sub {
  std::string sid, filter, queue;
  uint32_t max = 0;
  uint32_t delivered = 0;
  std::array<bool, 4> heard{};  // By shard; for the mistake of hearing late.
};

struct Conn {
  uint32_t id = 0;
  BrokerShard* shard = nullptr;
  int descriptor = -1;
  bool recv_armed = false;
  bool send_in_flight = false;
  bool closing = false;
  bool verbose = true, echo = true, headers = false, no_responders = false;
  std::string in;
  std::string out;                // To be sent.
  std::string sending;            // With the kernel.
  std::string held;               // For the mistake of swapping.
  std::deque<std::string> later;  // For the mistake of the early PONG.
  std::map<std::string, Sub> subs;
};

struct Broker {
  Broker(World& world_, Mistake mistake_) : world(world_), mistake(mistake_) {}
  World& world;
  Mistake mistake;
  std::vector<std::unique_ptr<BrokerShard>> shards;
  std::map<uint32_t, std::unique_ptr<Conn>> conns;
  uint32_t next_id = 1;
  uint32_t next_shard = 0;
  bool stopping = false;
  int listener = -1;

  /// One in some twenty times, if this is the mistake to make.
  bool errs(Mistake kind, uint64_t every = 20) {
    return mistake == kind && world.chance.below(every) == 0;
  }
};

class BrokerShard : public Tickable {
 public:
  BrokerShard(Broker& broker, unsigned index, std::unique_ptr<core::Reactor> reactor)
      : broker_(broker), index_(index), reactor_(std::move(reactor)) {}

  core::Reactor& reactor() { return *reactor_; }
  unsigned index() const { return index_; }

  bool tick() override;
  int64_t next_deadline_ns() const override { return deadline_ns_; }

  void take_newcomer(int descriptor) { newcomers_.push_back(descriptor); }
  void touch(Conn& conn);  // It has something to be sent, or is to be closed.

 private:
  void on_accept(const Completion& done);
  void on_recv(Conn& conn, const Completion& done);
  void on_send(Conn& conn, const Completion& done);
  void arm(Conn& conn);
  void parse(Conn& conn);
  bool act(Conn& conn, const std::vector<std::string>& words, size_t line_end, size_t& used);
  void publish(Conn& from, const std::string& subject, const std::string& reply,
               const std::string& headers, const std::string& payload);
  void deliver(Conn& from, Conn& to, Sub& sub, const std::string& subject, const std::string& reply,
               const std::string& headers, const std::string& payload);
  void write(Conn& to, std::string text);
  void say(Conn& to, const std::string& text) { write(to, text); }
  void close(Conn& conn);
  bool settle(Conn& conn);  // False when it has gone.
  bool hears(const Sub& sub) const {
    return broker_.mistake != Mistake::hears_late || sub.heard[index_];
  }

  Broker& broker_;
  const unsigned index_;
  std::unique_ptr<core::Reactor> reactor_;
  std::vector<int> newcomers_;
  std::vector<uint32_t> touched_;
  std::vector<uint32_t> starved_;
  std::string_view kept_view_;
  int64_t deadline_ns_ = 0;
  bool accept_armed_ = false;
};

bool BrokerShard::tick() {
  const auto completions = reactor_->wait(next_deadline_ns());
  if (index_ == 0 && !accept_armed_ && !broker_.stopping) {
    reactor_->accept(broker_.listener, {OpKind::accept, 0, 0});
    accept_armed_ = true;
  }
  if (!kept_view_.empty()) {  // The mistake: what was given back is read.
    for (auto& [id, conn] : broker_.conns) {
      if (conn->shard == this && !conn->closing) {
        say(*conn, std::string(kept_view_));
        break;
      }
    }
    kept_view_ = {};
  }
  for (const Completion& done : completions) {
    if (done.token.kind == OpKind::accept) on_accept(done);
    if (done.token.kind != OpKind::recv && done.token.kind != OpKind::send) continue;
    Conn& conn = *broker_.conns.at(done.token.slot);
    if (done.token.kind == OpKind::recv) on_recv(conn, done);
    if (done.token.kind == OpKind::send) on_send(conn, done);
  }
  for (const int descriptor : newcomers_) {
    if (broker_.stopping) {
      reactor_->close(descriptor);
      continue;
    }
    auto conn = std::make_unique<Conn>();
    conn->id = broker_.next_id++;
    conn->shard = this;
    conn->descriptor = descriptor;
    reactor_->adopt(descriptor);
    say(*conn, "INFO {\"headers\":true} \r\n");
    arm(*conn);
    broker_.conns[conn->id] = std::move(conn);
  }
  newcomers_.clear();
  reactor_->give_back();

  std::vector<uint32_t> starved;
  starved.swap(starved_);
  for (const uint32_t id : starved) {
    const auto found = broker_.conns.find(id);
    if (found == broker_.conns.end() || found->second->closing) continue;
    if (reactor_->receive_buffers() > 0) {
      arm(*found->second);
    } else {
      starved_.push_back(id);
    }
  }
  for (auto& [id, conn] : broker_.conns) {  // Late to hear: now it has.
    for (auto& [sid, sub] : conn->subs) sub.heard[index_] = true;
    if (conn->shard != this) continue;
    for (std::string& text : conn->later) write(*conn, std::move(text));
    conn->later.clear();
  }
  std::vector<uint32_t> touched;
  touched.swap(touched_);
  for (const uint32_t id : touched) {
    const auto found = broker_.conns.find(id);
    if (found != broker_.conns.end() && !settle(*found->second)) broker_.conns.erase(found);
  }
  if (broker_.stopping && accept_armed_) reactor_->cancel({OpKind::accept, 0, 0});
  bool clients_left = false;
  for (auto& [id, conn] : broker_.conns) {
    if (conn->shard != this) continue;
    if (broker_.stopping) close(*conn);
    clients_left = true;
  }
  deadline_ns_ = starved_.empty() ? INT64_MAX : reactor_->now_ns() + 1'000'000;
  if (broker_.stopping && !touched_.empty()) deadline_ns_ = 0;
  if (broker_.mistake == Mistake::spins && !broker_.conns.empty()) deadline_ns_ = 0;
  return !broker_.stopping || accept_armed_ || clients_left || !newcomers_.empty();
}

void BrokerShard::on_accept(const Completion& done) {
  accept_armed_ = done.more;
  if (done.result >= 0 && broker_.stopping) {
    reactor_->close(done.result);
  } else if (done.result >= 0) {
    BrokerShard& to = *broker_.shards[broker_.next_shard++ % broker_.shards.size()];
    to.take_newcomer(done.result);
    if (&to != this) reactor_->wake(to.reactor().handle());
  }
  if (!done.more && !broker_.stopping) {
    reactor_->accept(broker_.listener, {OpKind::accept, 0, 0});
    accept_armed_ = true;
  }
}

void BrokerShard::arm(Conn& conn) {
  reactor_->recv(conn.descriptor, {OpKind::recv, conn.id, 1});
  conn.recv_armed = true;
}

void BrokerShard::on_recv(Conn& conn, const Completion& done) {
  conn.recv_armed = done.more;
  if (conn.closing) return touch(conn);
  if (done.result == -ENOBUFS) {
    starved_.push_back(conn.id);
    return;
  }
  if (done.result <= 0) {
    if (broker_.errs(Mistake::closes_in_flight, 1) && conn.send_in_flight) {
      reactor_->close(conn.descriptor);
    }
    if (done.result < 0 && broker_.errs(Mistake::leaks_connection, 1)) return;
    return close(conn);
  }
  if (broker_.errs(Mistake::keeps_view)) kept_view_ = done.bytes;
  conn.in += done.bytes;
  parse(conn);
  if (conn.closing || conn.recv_armed) return;
  if (!broker_.errs(Mistake::forgets_to_arm)) arm(conn);
}

void BrokerShard::on_send(Conn& conn, const Completion& done) {
  conn.send_in_flight = false;
  if (done.result < 0) {
    close(conn);
  } else if (static_cast<size_t>(done.result) < conn.sending.size() &&
             !broker_.errs(Mistake::ignores_short, 2)) {
    conn.out.insert(0, conn.sending, static_cast<size_t>(done.result));
  }
  conn.sending.clear();
  touch(conn);
}

void BrokerShard::touch(Conn& conn) {
  conn.shard->touched_.push_back(conn.id);
  if (conn.shard != this && !broker_.errs(Mistake::forgets_to_wake, 3)) {
    reactor_->wake(conn.shard->reactor().handle());
  }
}

void BrokerShard::write(Conn& to, std::string text) {
  if (to.closing) return;
  to.out += text;
  if (to.send_in_flight && broker_.errs(Mistake::reuses_memory)) to.sending.assign(5, 'x');
  touch(to);
}

bool BrokerShard::settle(Conn& conn) {
  if (conn.closing) {
    if (conn.recv_armed || conn.send_in_flight) return true;
    if (broker_.mistake != Mistake::closes_in_flight || broker_.world.link_of(conn.descriptor)) {
      reactor_->close(conn.descriptor);
    }
    return false;
  }
  if (conn.send_in_flight || conn.out.empty()) return true;
  conn.sending.swap(conn.out);
  conn.out.clear();
  const iovec part{conn.sending.data(), conn.sending.size()};
  reactor_->send(conn.descriptor, {&part, 1}, {OpKind::send, conn.id, 1});
  conn.send_in_flight = true;
  return true;
}

void BrokerShard::close(Conn& conn) {
  if (conn.closing) return;
  conn.closing = true;
  conn.subs.clear();
  if (conn.recv_armed) reactor_->cancel({OpKind::recv, conn.id, 1});
  if (conn.send_in_flight) reactor_->cancel({OpKind::send, conn.id, 1});
  touch(conn);
}

// ---- What clients say.

void BrokerShard::parse(Conn& conn) {
  size_t used = 0;
  while (!conn.closing) {
    const size_t end = conn.in.find("\r\n", used);
    if (end == conn.in.npos) break;
    std::vector<std::string> words(1);
    for (size_t i = used; i < end; i++) {
      if (conn.in[i] == ' ' && words[0] != "CONNECT") {
        words.emplace_back();
      } else {
        words.back() += conn.in[i];
      }
      if (words.size() == 1 && words[0] == "CONNECT") {
        words.push_back(conn.in.substr(i + 1, end - i - 1));
        break;
      }
    }
    if (!act(conn, words, end + 2, used)) break;
  }
  conn.in.erase(0, used);
}

bool BrokerShard::act(Conn& conn, const std::vector<std::string>& words, size_t line_end,
                      size_t& used) {
  const std::string& verb = words[0];
  size_t next = line_end;
  bool ok = true;
  const auto acknowledge = [&] {
    if (conn.verbose && !broker_.errs(Mistake::forgets_ok)) say(conn, "+OK\r\n");
  };
  if (verb == "PING") {
    say(conn, "PONG\r\n");
  } else if (verb == "CONNECT") {
    const auto has = [&](const char* text) { return words[1].find(text) != std::string::npos; };
    conn.verbose = !has("\"verbose\":false");
    conn.echo = !has("\"echo\":false");
    conn.headers = has("\"headers\":true");
    conn.no_responders = has("\"no_responders\":true");
    acknowledge();
  } else if (verb == "SUB" && (words.size() == 3 || words.size() == 4)) {
    Sub sub;
    sub.filter = words[1];
    sub.sid = words.back();
    if (words.size() == 4) sub.queue = words[2];
    sub.heard[index_] = true;
    conn.subs.emplace(sub.sid, sub);
    acknowledge();
  } else if (verb == "UNSUB" && words.size() >= 2) {
    const auto found = conn.subs.find(words[1]);
    if (found != conn.subs.end()) {
      const uint32_t max =
          words.size() == 3 ? static_cast<uint32_t>(std::atoi(words[2].c_str())) : 0;
      found->second.max = max;
      if (found->second.delivered >= max && !broker_.errs(Mistake::ignores_unsub, 4)) {
        conn.subs.erase(found);
      }
    }
    acknowledge();
  } else if ((verb == "PUB" && (words.size() == 3 || words.size() == 4)) ||
             (verb == "HPUB" && (words.size() == 4 || words.size() == 5))) {
    const bool with_headers = verb == "HPUB";
    const std::string& size = words.back();
    size_t total = 0;
    size_t header = 0;
    std::from_chars(size.data(), size.data() + size.size(), total);
    if (with_headers) header = static_cast<size_t>(std::atoi(words[words.size() - 2].c_str()));
    if (total > 1'000'000 || header > total) {
      ok = false;
    } else if (conn.in.size() < line_end + total + 2) {
      return false;
    } else if (conn.in.compare(line_end + total, 2, "\r\n") != 0) {
      ok = false;
    } else {
      const size_t fixed = with_headers ? 4 : 3;
      const std::string reply = words.size() > fixed ? words[2] : "";
      acknowledge();
      publish(conn, words[1], reply, conn.in.substr(line_end, header),
              conn.in.substr(line_end + header, total - header));
      next = line_end + total + 2;
    }
  } else if (verb != "PONG" && verb != "+OK") {
    ok = false;
  }
  if (!ok || broker_.errs(Mistake::closes_somebody, 100)) close(conn);
  used = next;
  return true;
}

void BrokerShard::publish(Conn& from, const std::string& subject, const std::string& reply,
                          const std::string& headers, const std::string& payload) {
  std::vector<std::pair<Conn*, Sub*>> plain;
  std::map<std::string, std::vector<std::pair<Conn*, Sub*>>> groups;
  for (auto& [id, conn] : broker_.conns) {
    if (conn->closing && broker_.mistake != Mistake::group_never) continue;
    if (conn.get() == &from && !from.echo && !broker_.errs(Mistake::echoes)) continue;
    for (auto& [sid, sub] : conn->subs) {
      if (!matches(sub.filter, subject) || !hears(sub)) continue;
      (sub.queue.empty() ? plain : groups[sub.queue]).emplace_back(conn.get(), &sub);
    }
  }
  size_t taken = 0;
  for (auto& [conn, sub] : plain) {
    deliver(from, *conn, *sub, subject, reply, headers, payload);
    taken++;
  }
  for (auto& [name, members] : groups) {
    for (int n = broker_.errs(Mistake::group_twice) ? 2 : 1; n > 0 && !members.empty(); n--) {
      const size_t at = broker_.world.chance.below(members.size());
      const auto [conn, sub] = members[at];
      members.erase(members.begin() + static_cast<ptrdiff_t>(at));
      taken++;
      if (!broker_.errs(Mistake::group_never)) {
        deliver(from, *conn, *sub, subject, reply, headers, payload);
      }
    }
  }
  if (reply.empty() || !from.no_responders || broker_.mistake == Mistake::refuses_never) return;
  if (taken > 0 && !broker_.errs(Mistake::refuses_falsely)) return;
  for (auto& [sid, sub] : from.subs) {
    if (!sub.queue.empty() || !matches(sub.filter, reply)) continue;
    const std::string status = "NATS/1.0 503\r\nNats-Subject: " + subject + "\r\n\r\n";
    const std::string size = std::to_string(status.size());
    say(from, "HMSG " + reply + " " + sid + " " + size + " " + size + "\r\n" + status + "\r\n");
    break;
  }
}

void BrokerShard::deliver(Conn& from, Conn& to, Sub& sub, const std::string& subject,
                          const std::string& reply, const std::string& headers,
                          const std::string& payload) {
  const bool with_headers = to.headers && !headers.empty();
  std::string text = with_headers ? "HMSG " : "MSG ";
  text += subject + " " + sub.sid + (reply.empty() ? "" : " " + reply);
  if (with_headers) text += " " + std::to_string(headers.size());
  text += " " + std::to_string(payload.size() + (with_headers ? headers.size() : 0)) + "\r\n";
  if (with_headers) text += headers;
  text += payload + "\r\n";
  if (broker_.errs(Mistake::corrupts) && !payload.empty()) text[text.size() - 3] ^= 1;

  sub.delivered++;
  const uint32_t max = sub.max + (broker_.mistake == Mistake::counts_wrong ? 1 : 0);
  const bool full = sub.max != 0 && sub.delivered >= max;
  if (!broker_.errs(Mistake::loses)) {
    if (broker_.errs(Mistake::doubles)) write(to, text);
    if (broker_.mistake == Mistake::pongs_early && to.shard != from.shard) {
      to.later.push_back(text);
      touch(to);
    } else if (broker_.errs(Mistake::swaps, 5) && to.held.empty()) {
      to.held = text;
    } else {
      write(to, text + to.held);
      to.held.clear();
    }
  }
  if (full) to.subs.erase(std::string(sub.sid));
}

// ----

class ReferenceBroker : public ServerUnderTest {
 public:
  ReferenceBroker(World& world, const Scenario& scenario, Mistake mistake)
      : broker_(world, mistake) {
    world.faults.preemption = 0;  // What shards share here must not be touched in the middle.
    broker_.listener = world.listen(16);
    for (unsigned i = 0; i < scenario.shards; i++) {
      core::ReactorConfig config;
      config.recv_cap_bytes = scenario.recv_cap_bytes;
      auto made = core::Reactor::create(config);
      broker_.shards.push_back(std::make_unique<BrokerShard>(
          broker_, i, std::move(std::get<std::unique_ptr<core::Reactor>>(made))));
    }
  }

  unsigned shards() const override { return static_cast<unsigned>(broker_.shards.size()); }
  Tickable& shard(unsigned index) override { return *broker_.shards[index]; }
  int reactor_handle(unsigned index) const override {
    return broker_.shards[index]->reactor().handle();
  }
  int listener() const override { return broker_.listener; }
  std::string leftovers() const override {
    return broker_.conns.empty() ? "" : std::to_string(broker_.conns.size()) + " connections";
  }
  void stop() override {
    broker_.stopping = true;
    for (const auto& shard : broker_.shards) shard->reactor().notify();
  }

 private:
  mutable Broker broker_;
};

}  // namespace

std::unique_ptr<ServerUnderTest> make_reference_broker(World& world, const Scenario& scenario,
                                                       Mistake mistake) {
  return std::make_unique<ReferenceBroker>(world, scenario, mistake);
}

}  // namespace peal::sim
