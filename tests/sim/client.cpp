#include "tests/sim/client.hpp"

#include <algorithm>

namespace peal::sim {

namespace {
constexpr size_t out_bytes_high = 64 * 1024;  // A script waits while more is unwritten.

Party& make_party(Oracle& oracle, Habits habits) {
  if (!habits.says_connect) {
    habits.options.verbose = true;
    habits.options.echo = true;
    habits.options.headers = false;
    habits.options.no_responders = false;
    habits.options.user = User::ann;  // Whoever does not say is she.
  }
  return oracle.add_party(habits.options);
}
}  // namespace

Client::Client(Stage& stage, const Habits& habits)
    : stage_(stage), party_(make_party(stage.oracle, habits)), habits_(habits) {
  if (!habits_.says_connect) return;
  framed_ = stage.frames && mix(stage.scenario.seed * 64 + party_.id) % 2 == 0;
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  const PartyOptions& options = habits_.options;
  out_ = std::string("CONNECT {\"verbose\":") + flag(options.verbose) +
         ",\"pedantic\":false,\"echo\":" + flag(options.echo) +
         ",\"headers\":" + flag(options.headers) +
         ",\"no_responders\":" + flag(options.no_responders) +
         (framed_ ? ",\"framing\":\"binary/1\"" : "") +
         (stage.accounts ? ",\"user\":\"" + std::string(name_of(options.user)) + "\",\"pass\":\"x\""
                         : "") +
         ",\"protocol\":" + (party_.id % 2 == 0 ? "1" : "0") + ",\"name\":\"c" +
         std::to_string(party_.id) + "\"}\r\n";
  stage_.oracle.connect(party_);
}

// ---- Moments.

void Client::plan(Time when) {
  // A leap takes along what is planned.
  const Time without_leaps = when - stage_.world.leapt();
  if (gone_ || without_leaps >= planned_) return;
  planned_ = without_leaps;
  stage_.world.schedule(when, *this, 0, ++plan_);
}

void Client::run(uint32_t, uint64_t argument) {
  if (argument != plan_ || gone_) return;
  planned_ = never;
  World& world = stage_.world;
  if (link_ == nullptr) connect();
  if (link_ == nullptr) return plan(world.now() + world.chance.between(100 * us, 5 * ms));
  if (world.now() >= habits_.leaves_at && !stage_.winding_down && !said_end_) return leave();
  read();
  if (gone_) return;
  if (stage_.winding_down && habits_.winds_down) script_ended_ = true;
  const bool may_act = !script_ended_ && !said_end_ && out_.size() - out_head_ < out_bytes_high;
  if (may_act && world.now() >= act_at_) {
    script_ended_ = !act();
    act_at_ = world.now() + chance().skewed(0, habits_.think_max);
  }
  write();
  plan_next();
}

void Client::plan_next() {
  World& world = stage_.world;
  const Time soon = world.now() + world.delay();
  if (out_.size() > out_head_ && link_->up.space() > 0 && !said_end_) plan(soon);
  if (link_->client_sees_end()) plan(soon);
  if (link_->down.size() > 0) {
    switch (habits_.reading) {
      case Reading::prompt:
        plan(soon);
        break;
      case Reading::slow:
        plan(stage_.winding_down ? soon : std::max(read_at_, soon));
        break;
      case Reading::stuck:
        if (read_bytes_ < habits_.slow_bytes) plan(soon);
        break;
    }
  }
  if (!script_ended_ && out_.size() - out_head_ < out_bytes_high) plan(std::max(act_at_, soon));
  if (habits_.leaves_at != never && !stage_.winding_down && !said_end_) plan(habits_.leaves_at);
}

void Client::connect() {
  World& world = stage_.world;
  link_ = world.connect(stage_.listener, *this, habits_.up_bytes, habits_.down_bytes);
  if (link_ == nullptr) return;
  party_.link = link_;
  if (!world.healed() && chance().percent(world.faults.reset)) {
    link_->reset_after_bytes = static_cast<size_t>(chance().skewed(1, 20'000));
  }
  world.trace.note(world.now(), Mark::client_event, party_.id, link_->id, 0, 0, "connects");
}

void Client::end(Gone how) {
  gone_ = true;
  stage_.world.trace.note(stage_.world.now(), Mark::client_event, party_.id, static_cast<int>(how),
                          0, 0, "has ended");
  if (link_ != nullptr) link_->client_close();
  stage_.oracle.gone(party_, how);
}

void Client::leave() {
  if (gone_ || said_end_) return;
  if (habits_.leaves_how == Leaving::close || link_ == nullptr || stage_.winding_down) {
    return end(Gone::by_client);
  }
  said_end_ = true;
  script_ended_ = true;
  party_.options.may_be_cut_off = true;
  party_.says_end_at = stage_.world.now();
  link_->client_shutdown();
  plan_next();
}

// ---- In.

void Client::read() {
  World& world = stage_.world;
  size_t most = 256 * 1024;
  if (habits_.reading == Reading::stuck) {
    most = habits_.slow_bytes - std::min<size_t>(read_bytes_, habits_.slow_bytes);
  } else if (habits_.reading == Reading::slow && !stage_.winding_down) {
    if (world.now() < read_at_) return;
    read_at_ = world.now() + habits_.slow_every;
    most = habits_.slow_bytes;
  } else if (chance().percent(habits_.cuts_reads)) {
    most = static_cast<size_t>(chance().skewed(1, 4096));
  }
  const size_t count = link_->client_read(most, replies_.bytes());
  read_bytes_ += count;
  if (count > 0) {
    const std::string& all = replies_.bytes();
    world.trace.note(world.now(), Mark::client_read, party_.id, static_cast<int64_t>(count), 0, 0,
                     std::string_view(all).substr(all.size() - count));
  }
  if (babbles()) {
    replies_.bytes().clear();
  } else {
    while (const auto reply = next_reply()) take(*reply);
  }
  if (!link_->client_sees_end()) return;
  // Nobody resets a connection that the server has ended, so whoever comes first is to blame.
  end(said_end_ ? Gone::by_client : link_->ended_by_server() ? Gone::by_server : Gone::by_network);
}

void Client::take(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::info:
      break;
    case Reply::Kind::ping:
      pings_asked_++;
      raw(framed_ ? frames::pong() : "PONG\r\n");
      break;
    case Reply::Kind::pong:
      stage_.oracle.ponged(party_);
      break;
    case Reply::Kind::ok:
      // The first one says that frames follow, to the quiet as well.
      if (!framed_ || in_frames_ || party_.options.verbose) stage_.oracle.acknowledged(party_);
      if (framed_ && !in_frames_) replies_.drop_taken();
      in_frames_ = framed_;
      break;
    case Reply::Kind::error:
      if (party_.options.user == User::rex &&
          reply.text.find("Permissions Violation") != reply.text.npos)
        break;
      // Who is somebody by default is so from its first word on, if it has one.
      if (stage_.accounts && reply.text.find("Authentication Timeout") != reply.text.npos &&
          ((!habits_.says_connect && out_written_ == 0) || link_->admission_leapt)) {
        party_.options.may_be_cut_off = true;
      }
      if (!party_.options.may_be_cut_off) {
        World::fail("refused",
                    "client " + std::to_string(party_.id) + " got " + std::string(reply.text));
      }
      break;
    case Reply::Kind::message:
      take_message(reply);
      break;
  }
}

std::optional<Reply> Client::next_reply() {
  return in_frames_ ? frames_.next(replies_.bytes()) : replies_.next();
}

void Client::take_message(Reply reply) {
  if (in_frames_ && reply.subject.empty()) {
    const auto known = filters_.find(reply.sid);
    if (known == filters_.end()) World::fail("bytes", "a message for a subscription of nobody's");
    reply.subject = known->second;
  }
  const Oracle::Seen seen = stage_.oracle.delivered(
      party_, {reply.subject, reply.sid, reply.reply, reply.headers, reply.payload});
  if (seen.refused) {
    on_refusal(*seen.message, *seen.subscription);
  } else {
    on_message(*seen.message, *seen.subscription);
  }
}

// ---- Out.

void Client::write() {
  World& world = stage_.world;
  if (said_end_ || out_.size() == out_head_) return;
  std::string_view rest = std::string_view(out_).substr(out_head_);
  if (rest.size() > 1 && chance().percent(habits_.cuts_writes)) {
    rest = rest.substr(0, 1 + chance().below(std::min<size_t>(rest.size(), 4096)));
  }
  const size_t count = link_->client_write(rest);
  if (count == 0) return;
  world.trace.note(world.now(), Mark::client_write, party_.id, static_cast<int64_t>(count), 0, 0,
                   rest.substr(0, count));
  out_head_ += count;
  out_written_ += count;
  while (!marks_.empty() && marks_.front().end <= out_written_) {
    stage_.oracle.written(party_, marks_.front().command);
    marks_.pop_front();
  }
  if (out_head_ == out_.size()) {
    out_.clear();
    out_head_ = 0;
  } else if (out_head_ > out_.size() / 2) {
    out_.erase(0, out_head_);
    out_head_ = 0;
  }
}

void Client::command(std::string_view text, std::string_view more, uint32_t number) {
  out_ += text;
  out_ += more;
  if (!framed_) out_ += "\r\n";
  marks_.push_back({out_written_ + out_.size() - out_head_, number});
  plan(stage_.world.now() + stage_.world.delay());
}

void Client::raw(std::string_view bytes) {
  out_ += bytes;
  plan(stage_.world.now() + stage_.world.delay());
}

void Client::flush() {
  stage_.oracle.ping(party_);
  command(framed_ ? frames::ping() : "PING", {}, party_.commands - 1);
}

Subscription& Client::sub(std::string_view filter, std::string_view queue, std::string_view sid) {
  std::string name = sid.empty() ? std::to_string(next_sid_++) : std::string(sid);
  if (framed_) {
    // A message that says no subject is of the subject that its sid was for, always.
    if (filters_.count(name) > 0 && filters_[name] != filter) name = std::to_string(next_sid_++);
    filters_[name] = filter;
  }
  Subscription& subscription = stage_.oracle.subscribe(party_, name, filter, queue);
  if (framed_) {
    const auto number = static_cast<uint32_t>(std::stoul(name));
    command(frames::sub(number, std::string(filter), std::string(queue)), {}, subscription.command);
    return subscription;
  }
  std::string line = "SUB " + std::string(filter);
  if (!queue.empty()) line += " " + std::string(queue);
  command(line + " " + name, {}, subscription.command);
  return subscription;
}

void Client::unsub(Subscription& subscription, uint32_t max) {
  stage_.oracle.unsubscribe(party_, subscription, max);
  if (framed_) {
    const auto number = static_cast<uint32_t>(std::stoul(subscription.sid));
    return command(frames::unsub(number, max), {},
                   max == 0 ? subscription.unsub_command : subscription.max_command);
  }
  command("UNSUB " + subscription.sid + (max == 0 ? "" : " " + std::to_string(max)), {},
          max == 0 ? subscription.unsub_command : subscription.max_command);
}

Message& Client::pub(std::string subject, size_t payload_bytes, std::string reply,
                     bool with_headers) {
  std::string headers;
  if (with_headers && party_.options.headers) {
    headers = "NATS/1.0\r\nKey: " + std::to_string(party_.commands) + "\r\n\r\n";
  }
  Message& message = stage_.oracle.publish(party_, std::move(subject), std::move(reply),
                                           std::move(headers), payload_bytes);
  if (framed_) {
    pub_frame(message);
    return message;
  }
  std::string line = message.headers.empty() ? "PUB " : "HPUB ";
  line += message.subject;
  if (!message.reply.empty()) line += " " + message.reply;
  if (!message.headers.empty()) line += " " + std::to_string(message.headers.size());
  line += " " + std::to_string(message.headers.size() + message.payload.size()) + "\r\n";
  command(line + message.headers, message.payload, message.command);
  return message;
}

// By an alias where there is one left, and in batches where messages allow it.
void Client::pub_frame(const Message& message) {
  if (extends_batch(message)) return;
  uint32_t alias = 0;
  bool named = false;
  if (const auto known = aliases_.find(message.subject); known != aliases_.end()) {
    alias = known->second;
    named = true;
  } else if (aliases_.size() < 256 && message.id % 4 != 0) {
    alias = static_cast<uint32_t>(aliases_.size()) + 1;
    aliases_.emplace(message.subject, alias);
  }
  const std::string subject = named ? "" : message.subject;
  const bool plain = message.reply.empty() && message.headers.empty();
  if (plain && !message.payload.empty() && message.id % 3 != 0) {
    batch_ = {out_written_ + out_.size() - out_head_, message.subject, message.payload.size()};
    return command(frames::batch(alias, subject, message.payload), {}, message.command);
  }
  batch_ = {};
  command(frames::pub(alias, subject, message.reply, message.headers, message.payload), {},
          message.command);
}

// One message more in the batch that was made last, if it is of its kind, and nothing of the batch
// has been written nor anything behind it been said.
bool Client::extends_batch(const Message& message) {
  if (batch_.at < out_written_ || batch_.at == UINT64_MAX || message.subject != batch_.subject ||
      message.payload.size() != batch_.size || !message.reply.empty() || !message.headers.empty() ||
      marks_.empty() || marks_.back().end != out_written_ + out_.size() - out_head_) {
    return false;
  }
  const size_t at = out_head_ + static_cast<size_t>(batch_.at - out_written_);
  if (at + frames::head_bytes + frames::get(std::string_view(out_).substr(at), 0, 4) !=
      out_.size()) {
    return false;
  }
  command(message.payload, {}, message.command);
  frames::put(out_, at, out_.size() - at - frames::head_bytes, 4);
  return true;
}

std::string Client::describe() const {
  std::string text = "client " + std::to_string(party_.id) + ": " +
                     std::to_string(party_.pings.size()) + " PINGs open, " +
                     std::to_string(out_.size() - out_head_) + " bytes unwritten";
  if (link_ == nullptr) return text + ", not connected";
  return text + ", link " + std::to_string(link_->id) + " descriptor " +
         std::to_string(link_->descriptor) + " up " + std::to_string(link_->up.size()) + " down " +
         std::to_string(link_->down.size()) +
         (link_->accepted_at == never ? ", never accepted" : "");
}

}  // namespace peal::sim
