#include "tests/sim/oracle.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace peal::sim {
namespace {

/// What payloads are made of: bytes of all kinds, and among them what a confused parser would take
/// for the next command.
std::string make_noise() {
  std::string noise;
  Chance chance(4222);
  while (noise.size() < 256 * 1024) {
    for (int64_t n = chance.between(1, 60); n > 0; n--) noise += static_cast<char>(chance.next());
    if (chance.percent(20)) noise += "\r\nMSG a.b 1 2\r\nxx\r\n-ERR 'no'\r\nPUB a.b 0\r\n\r\n";
  }
  return noise;
}

const std::string& shared_noise() {
  static const std::string noise = make_noise();
  return noise;
}

bool read_number(std::string_view text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end != text.data();
}

bool known(const Message& message, uint32_t client, uint32_t command) {
  return client < message.knows.size() && message.knows[client] > command;
}

/// Whether it knows or not: one that does not read finds out last.
bool is_cut_off(const Party& party) {
  const Link* link = party.link;
  return link != nullptr && (link->was_reset || link->server_gone || link->shutdown_down);
}

/// One that reads slowly may leave before it finds out.
bool was_cut_off_before_it_left(const Party& party) {
  return party.link != nullptr && party.link->server_closed_at < party.gone_at;
}

/// The last PING of a client that was answered and sent before a command; its time, or -1.
Time last_fence_before(const Party& party, uint32_t command) {
  for (auto it = party.ponged.rbegin(); it != party.ponged.rend(); ++it) {
    if (it->command < command) return it->written;
  }
  return -1;
}

}  // namespace

bool matches(std::string_view filter, std::string_view subject) {
  while (true) {
    const size_t filter_dot = filter.find('.');
    const size_t subject_dot = subject.find('.');
    const std::string_view wanted = filter.substr(0, filter_dot);
    const std::string_view token = subject.substr(0, subject_dot);
    if (token.empty()) return false;
    if (wanted == ">" && filter_dot == filter.npos) return true;
    if (wanted != "*" && wanted != token) return false;
    if (filter_dot == filter.npos || subject_dot == subject.npos) return filter_dot == subject_dot;
    filter.remove_prefix(filter_dot + 1);
    subject.remove_prefix(subject_dot + 1);
  }
}

Oracle::Oracle(World& world) : world_(world), noise_(shared_noise()) {}

// ---- What clients do.

Party& Oracle::add_party(const PartyOptions& options) {
  parties_.push_back(std::make_unique<Party>());
  Party& party = *parties_.back();
  party.id = static_cast<uint32_t>(parties_.size()) - 1;
  party.options = options;
  return party;
}

uint32_t Oracle::next_command(Party& party, char kind, uint32_t index) {
  const uint32_t number = party.commands++;
  assert(party.commands < UINT16_MAX);
  if (party.knows.size() <= party.id) party.knows.resize(party.id + 1);
  party.knows[party.id] = static_cast<uint16_t>(party.commands);
  party.unwritten.push_back({kind, number, index});
  if (kind != 'i') party.unfenced.push_back({kind, number, index});
  return number;
}

void Oracle::expect_ok(Party& party) {
  if (party.options.verbose) party.expected.push_back('K');
}

void Oracle::connect(Party& party) { expect_ok(party); }

Subscription& Oracle::subscribe(Party& party, std::string_view sid, std::string_view filter,
                                std::string_view queue) {
  subscriptions_.push_back(std::make_unique<Subscription>());
  Subscription& subscription = *subscriptions_.back();
  subscription.id = static_cast<uint32_t>(subscriptions_.size()) - 1;
  subscription.client = party.id;
  subscription.sid = sid;
  subscription.filter = filter;
  subscription.queue = queue;
  subscription.command = next_command(party, 's', subscription.id);
  party.sids[subscription.sid].subscriptions.push_back(subscription.id);
  subscription.group = std::string(account_of(party.options.user)) + " " + subscription.queue;
  if (!queue.empty()) groups_[subscription.group].members.push_back(subscription.id);
  expect_ok(party);
  return subscription;
}

void Oracle::unsubscribe(Party& party, Subscription& subscription, uint32_t max) {
  if (max == 0) {
    subscription.unsubscribed = true;
    subscription.unsub_command = next_command(party, 'u', subscription.id);
  } else {
    subscription.max = max;
    subscription.max_command = next_command(party, 'm', subscription.id);
  }
  left(subscription, world_.now());
  expect_ok(party);
}

Message& Oracle::publish(Party& party, std::string subject, std::string reply, std::string headers,
                         size_t payload_bytes) {
  const auto id = static_cast<uint32_t>(messages_.size());
  Message& message = messages_.emplace_back();
  message.id = id;
  message.publisher = party.id;
  message.headers = std::move(headers);
  message.payload = std::to_string(id) + ".";
  if (payload_bytes < message.payload.size()) {  // Somebody else must say who it is.
    message.payload.clear();
    if (reply.empty()) reply = "id." + std::to_string(id);
  }
  if (message.payload.size() < payload_bytes) {
    const size_t more = payload_bytes - message.payload.size();
    message.payload += std::string_view(noise_).substr(mix(id) % (noise_.size() - more), more);
  }
  message.subject = std::move(subject);
  if (message.subject.ends_with('.')) message.subject += std::to_string(id);  // Its own.
  message.reply = std::move(reply);
  message.wants_no_responders =
      party.options.no_responders && party.options.headers && !message.reply.empty();
  message.command = next_command(party, 'p', id);
  message.knows = party.knows;
  by_subject_[message.subject].push_back(id);
  if (message.wants_no_responders) by_reply_.emplace(message.reply, id);
  expect_ok(party);
  return message;
}

void Oracle::ping(Party& party) {
  const uint32_t command = next_command(party, 'i', 0);
  party.pings.push_back({command, never});
  party.expected.push_back('P');
}

void Oracle::written(Party& party, uint32_t command) {
  assert(!party.unwritten.empty() && party.unwritten.front().number == command);
  const Party::Command done = party.unwritten.front();
  party.unwritten.pop_front();
  switch (done.kind) {
    case 'p':
      messages_[done.index].written = world_.now();
      messages_[done.index].denial = denial_();
      break;
    case 'u':
      subscription(done.index).unsub_written = world_.now();
      break;
    case 'i':
      for (Party::Ping& ping : party.pings) {
        if (ping.command == command) ping.written = world_.now();
      }
      break;
    default:
      break;
  }
}

// ---- What clients see.

uint32_t Oracle::message_id_of(const Delivery& delivery) const {
  uint32_t id = UINT32_MAX;
  if (delivery.reply.starts_with("id.")) {
    read_number(delivery.reply.substr(3), id);
  } else {
    read_number(delivery.payload, id);
  }
  return id;
}

Oracle::Seen Oracle::delivered(Party& party, const Delivery& delivery) {
  if (delivery.headers.starts_with("NATS/1.0 503")) return refused(party, delivery);
  const uint32_t id = message_id_of(delivery);
  if (id >= messages_.size()) {
    World::fail("bytes", "client " + std::to_string(party.id) + " got a message on " +
                             std::string(delivery.subject) + " that nobody published");
  }
  Message& message = messages_[id];
  check_bytes(party, message, delivery);
  check_rules(party, message);
  Subscription& subscription = attribute(party, message, delivery.sid);
  const auto what = [&] { return describe(message) + " at " + describe(subscription); };
  if (is_own_echo(subscription, message)) World::fail("echo", what());
  if (message.refused != never) World::fail("refusal", "delivered after its 503: " + what());
  if (subscription.got(id)) World::fail("twice", what());

  if (!subscription.queue.empty()) {
    Group& group = groups_[subscription.group];
    if (group.delivered.size() <= id / 64) group.delivered.resize(id / 64 + 1);
    uint64_t& word = group.delivered[id / 64];
    if ((word >> id % 64 & 1) != 0) World::fail("group", "a second member got " + what());
    word |= uint64_t{1} << id % 64;
  }
  check_order(party, subscription, message);
  count(subscription, message);
  subscription.take(id);
  message.deliveries++;
  deliveries_++;

  if (party.knows.size() < message.knows.size()) party.knows.resize(message.knows.size());
  for (size_t i = 0; i < message.knows.size(); i++) {
    party.knows[i] = std::max(party.knows[i], message.knows[i]);
  }
  return {&message, &subscription, false};
}

void Oracle::check_bytes(const Party& party, const Message& message, const Delivery& delivery) {
  const auto differ = [&](const char* part) {
    World::fail("bytes", std::string(part) + " of " + describe(message) +
                             " changed on its way to client " + std::to_string(party.id));
  };
  if (delivery.subject != message.subject) differ("the subject");
  if (delivery.reply != message.reply) differ("the reply");
  if (delivery.headers != (party.options.headers ? message.headers : std::string())) {
    differ("the header");
  }
  if (delivery.payload != message.payload) differ("the payload");
  if (message.written == never) differ("(delivered before it was whole) the end");
}

bool Oracle::concerns(const Subscription& subscription, const Message& message) const {
  const User one = parties_[subscription.client]->options.user;
  const User other = parties_[message.publisher]->options.user;
  return account_of(one) == account_of(other) && !may_be_denied(message.subject);
}

void Oracle::check_rules(const Party& party, const Message& message) const {
  const User publisher = parties_[message.publisher]->options.user;
  const auto fail = [&](const char* what) {
    World::fail("permission",
                describe(message) + " came to client " + std::to_string(party.id) + ": " + what);
  };
  if (account_of(publisher) != account_of(party.options.user)) fail("another account");
  if (!may_be_denied(message.subject) || message.denial == 0 || message.denial != denial_()) return;
  if (publisher == User::rex) fail("its publisher had been denied that");
  if (party.options.user == User::rex) fail("who has been denied that");
}

Subscription& Oracle::attribute(Party& party, const Message& message, std::string_view sid) {
  const auto found = party.sids.find(std::string(sid));
  if (found != party.sids.end()) {
    for (const uint32_t id : found->second.subscriptions) {
      Subscription& candidate = subscription(id);
      // Cause and effect: who published this knew of the UNSUB.
      if (known(message, candidate.client, candidate.unsub_command)) continue;
      if (matches(candidate.filter, message.subject)) return candidate;
    }
  }
  World::fail("stray", describe(message) + " came for sid " + std::string(sid) + " of client " +
                           std::to_string(party.id) +
                           ", which has no such subscription, or none any more");
}

void Oracle::check_order(Party& party, Subscription& subscription, const Message& message) {
  const bool queue = !subscription.queue.empty();
  const bool excused = queue && (leave_excuses(groups_[subscription.group], message) ||
                                 denial_excuses(groups_[subscription.group], message));
  const auto fail = [&](const char* kind, const std::string& text) {
    // A member that the server has cut off may not know it yet; whether there was one shows later.
    if (!queue || !may_lose_member(groups_[subscription.group])) World::fail(kind, text);
    suspicions_.push_back({subscription.group, kind, text});
  };
  const auto what = [&] { return describe(message) + " at " + describe(subscription); };

  std::vector<uint32_t>& last_from = party.sids[subscription.sid].last_from;
  if (last_from.size() <= message.publisher) last_from.resize(message.publisher + 1);
  uint32_t& last = last_from[message.publisher];
  if (message.id + 1 <= last && !excused) {
    fail("order", what() + " after " + describe(messages_[last - 1]));
  }
  last = std::max(last, message.id + 1);

  const Time fence = last_fence_before(party, UINT32_MAX);
  if (message.flushed < fence && !excused) {
    fail("fence", what() +
                      " came after the PONG of a PING that was sent when its publisher "
                      "had flushed");
  }
}

void Oracle::count(Subscription& subscription, const Message& message) {
  const bool in_force = known(message, subscription.client, subscription.max_command);
  const uint32_t limit = in_force && subscription.max != 0
                             ? std::min(subscription.limit, subscription.max)
                             : subscription.limit;
  if (subscription.delivered >= limit) {
    World::fail("maximum", describe(message) + " is one too many at " + describe(subscription));
  }
  subscription.delivered++;
}

Oracle::Seen Oracle::refused(Party& party, const Delivery& delivery) {
  const auto found = by_reply_.find(std::string(delivery.subject));
  if (found == by_reply_.end()) {
    World::fail("refusal", "a 503 on " + std::string(delivery.subject) + ", where nobody asked");
  }
  Message& message = messages_[found->second];
  const auto wrong = [&](const char* why) {
    World::fail("refusal", "503 for " + describe(message) + ": " + why);
  };
  if (message.publisher != party.id) wrong("given to somebody else");
  if (message.refused != never) wrong("given twice");
  if (message.deliveries > 0) wrong("it was delivered");
  if (!delivery.payload.empty()) wrong("with a payload");
  if (delivery.headers != "NATS/1.0 503\r\nNats-Subject: " + message.subject + "\r\n\r\n") {
    wrong("with a wrong header");
  }
  message.refused = world_.now();
  refusals_++;
  const auto sid = party.sids.find(std::string(delivery.sid));
  if (sid != party.sids.end()) {
    for (const uint32_t id : sid->second.subscriptions) {
      Subscription& candidate = subscription(id);
      if (!candidate.queue.empty() || !matches(candidate.filter, delivery.subject)) continue;
      return {&message, &candidate, true};
    }
  }
  wrong("on a sid that is no plain subscription to the reply");
  return {};
}

void Oracle::ponged(Party& party) {
  const Time now = world_.now();
  if (party.expected.empty() || party.expected.front() != 'P') {
    World::fail("replies", "client " + std::to_string(party.id) + " got a PONG out of turn");
  }
  party.expected.pop_front();
  const Party::Ping ping = party.pings.front();
  party.pings.pop_front();
  if (ping.written == never) {
    World::fail("replies", "client " + std::to_string(party.id) + " got a PONG before its PING");
  }
  party.ponged.push_back(ping);
  while (!party.unfenced.empty() && party.unfenced.front().number < ping.command) {
    const Party::Command command = party.unfenced.front();
    party.unfenced.pop_front();
    if (command.kind == 'p') {
      messages_[command.index].flushed = now;
      continue;
    }
    Subscription& about = subscription(command.index);
    switch (command.kind) {
      case 's':
        about.fenced = now;
        break;
      case 'm':
        about.max_fenced = true;
        about.limit = std::max(about.max, about.delivered);
        break;
      case 'u':
        about.unsub_fenced = now;
        std::erase(party.sids[about.sid].subscriptions, about.id);
        break;
    }
  }
}

void Oracle::acknowledged(Party& party) {
  if (party.expected.empty() || party.expected.front() != 'K') {
    World::fail("replies", "client " + std::to_string(party.id) + " got a +OK out of turn");
  }
  party.expected.pop_front();
}

void Oracle::gone(Party& party, Gone how) {
  if (party.gone != Gone::no) return;
  party.gone = how;
  party.gone_at = world_.now();
  const bool excused = party.options.may_be_cut_off || server_leaves_ ||
                       (party.link != nullptr && party.link->deadline_leapt);
  if (how == Gone::by_server && !excused) {
    World::fail("closed", "the server closed client " + std::to_string(party.id) +
                              ", which had given it no reason");
  }
  for (const auto& subscription : subscriptions_) {
    if (subscription->client == party.id) left(*subscription, party.gone_at);
  }
}

// ---- Members that leave.

void Oracle::left(Subscription& subscription, Time from) {
  if (subscription.queue.empty()) return;
  groups_[subscription.group].leaves.push_back({subscription.id, from});
}

// A queue message whose member left before it could be given to it goes to another, and its place
// in the order is not promised. Such a message was published before everybody knew of the leave.
bool Oracle::leave_excuses(const Group& group, const Message& message) const {
  for (const Group::Leave& leave : group.leaves) {
    const Subscription& member = *subscriptions_[leave.subscription];
    const Time known_to_all = member.unsubscribed ? member.unsub_fenced : never;
    if (message.written <= known_to_all) return true;
  }
  return false;
}

// Nor is the place of one that was first given to a member who may not receive it. Other shards
// know how many members there are, and not what they are denied.
bool Oracle::denial_excuses(const Group& group, const Message& message) const {
  if (!may_be_denied(message.subject)) return false;
  return std::any_of(group.members.begin(), group.members.end(), [&](uint32_t id) {
    const Subscription& member = *subscriptions_[id];
    const Party& party = *parties_[member.client];
    return party.options.user == User::rex && party.gone_at > message.written &&
           matches(member.filter, message.subject);
  });
}

bool Oracle::may_lose_member(const Group& group) const {
  return std::any_of(group.members.begin(), group.members.end(), [&](uint32_t id) {
    const Party& party = *parties_[subscriptions_[id]->client];
    return server_leaves_ || party.gone != Gone::no || party.options.may_be_cut_off;
  });
}

bool Oracle::has_lost_member(const Group& group) const {
  return std::any_of(group.members.begin(), group.members.end(), [&](uint32_t id) {
    const Party& party = *parties_[subscriptions_[id]->client];
    return party.gone != Gone::no || is_cut_off(party);
  });
}

bool Oracle::may_have_swallowed(const Subscription& subscription, const Message& message) const {
  if (!matches(subscription.filter, message.subject)) return false;
  if (subscription.unsub_fenced <= message.written) return false;
  const Party& party = *parties_[subscription.client];
  if (party.gone == Gone::no) {  // It has read all, or does not read.
    return last_fence_before(party, UINT32_MAX) < message.flushed;
  }
  return party.link == nullptr || party.link->server_closed_at > message.written;
}

// ---- The end.

bool Oracle::sure(const Subscription& subscription, const Message& message) const {
  return subscription.fenced < message.written ||
         known(message, subscription.client, subscription.command);
}

bool Oracle::is_own_echo(const Subscription& subscription, const Message& message) const {
  return message.publisher == subscription.client && !parties_[subscription.client]->options.echo;
}

void Oracle::check_nothing_missing() {
  for (const auto& subscription : subscriptions_) {
    if (subscription->queue.empty()) check_plain(*subscription);
  }
  for (const auto& [name, group] : groups_) check_group(name, group);
  for (const Suspicion& suspicion : suspicions_) {
    if (!has_lost_member(groups_.at(suspicion.queue))) {
      World::fail(suspicion.kind, suspicion.text);
    }
  }
  check_refusals();
}

void Oracle::check_plain(const Subscription& subscription) {
  const Party& party = *parties_[subscription.client];
  const Time fence = last_fence_before(party, subscription.unsub_command);
  if (fence < 0) return;
  const std::vector<uint32_t>& last_from = party.sids.at(subscription.sid).last_from;
  const bool full = subscription.max != 0 && subscription.delivered >= subscription.max;
  for (const auto& [subject, ids] : by_subject_) {
    if (!matches(subscription.filter, subject)) continue;
    for (const uint32_t id : ids) {
      const Message& message = messages_[id];
      if (message.flushed >= fence || !sure(subscription, message)) continue;
      if (!concerns(subscription, message)) continue;
      if (is_own_echo(subscription, message)) continue;
      owed_checked_++;
      if (subscription.got(id)) continue;
      // A full one may miss what came later, but not what lies before something that it got.
      const bool passed_over = message.publisher < last_from.size() &&
                               last_from[message.publisher] > id &&
                               subscription.unsub_command == UINT32_MAX;
      if (full && !passed_over) continue;
      World::fail("loss", describe(message) + " never came to " + describe(subscription));
    }
  }
}

void Oracle::check_group(const std::string& name, const Group& group) {
  for (const auto& [subject, ids] : by_subject_) {
    std::vector<const Subscription*> members;
    for (const uint32_t id : group.members) {
      if (matches(subscription(id).filter, subject)) members.push_back(&subscription(id));
    }
    if (members.empty()) continue;
    for (const uint32_t id : ids) {
      const Message& message = messages_[id];
      if (message.flushed == never || !concerns(*members.front(), message)) continue;
      const bool somebody_there =
          std::any_of(members.begin(), members.end(), [&](const Subscription* member) {
            const Party& party = *parties_[member->client];
            return party.gone == Gone::no && !member->unsubscribed && member->max == 0 &&
                   sure(*member, message) && !is_own_echo(*member, message) &&
                   last_fence_before(party, UINT32_MAX) > message.flushed;
          });
      if (!somebody_there) continue;
      owed_checked_++;
      if (id / 64 < group.delivered.size() && (group.delivered[id / 64] >> id % 64 & 1) != 0) {
        continue;
      }
      const bool excused =
          std::any_of(members.begin(), members.end(), [&](const Subscription* member) {
            return may_have_swallowed(*member, message) || is_own_echo(*member, message);
          });
      if (excused) continue;
      World::fail("loss", describe(message) + " reached no member of queue group " + name);
    }
  }
}

void Oracle::check_refusals() {
  for (const Message& message : messages_) {
    if (!message.wants_no_responders || message.flushed == never) continue;
    if (message.deliveries > 0 || may_be_denied(message.subject)) continue;
    const Party& asker = *parties_[message.publisher];
    bool excused = asker.gone != Gone::no;
    bool listens = false;  // The asker, for the reply.
    for (const auto& each : subscriptions_) {
      const Subscription& about = *each;
      if (about.client == asker.id && about.queue.empty() && !about.unsubscribed &&
          (about.max == 0 || about.delivered < about.max) && sure(about, message) &&
          matches(about.filter, message.reply)) {
        listens = true;
      }
      if (!matches(about.filter, message.subject) || !concerns(about, message)) continue;
      if (may_have_swallowed(about, message) || is_own_echo(about, message)) excused = true;
      if (message.refused == never) continue;
      const Party& party = *parties_[about.client];
      const bool stayed = party.says_end_at > message.refused &&
                          ((party.gone == Gone::no && !is_cut_off(party)) ||
                           (party.gone == Gone::by_client && party.gone_at > message.refused &&
                            !was_cut_off_before_it_left(party) &&
                            party.options.user != User::gus));  // Put out before he has read it.
      const bool kept = !about.unsubscribed || about.unsub_written > message.refused;
      if (stayed && kept && about.max == 0 && sure(about, message) &&
          !is_own_echo(about, message)) {
        World::fail("refusal",
                    "503 for " + describe(message) + " though there was " + describe(about));
      }
    }
    if (message.refused != never || !listens || excused) continue;
    World::fail("refusal", "neither delivered nor answered by a 503: " + describe(message));
  }
}

// ---- For the report.

std::string Oracle::describe(const Message& message) const {
  return "message " + std::to_string(message.id) + " of client " +
         std::to_string(message.publisher) + " on " + message.subject +
         (message.reply.empty() ? "" : " reply " + message.reply) + " (" +
         std::to_string(message.payload.size()) + " bytes)";
}

std::string Oracle::describe(const Subscription& subscription) const {
  return "subscription " + subscription.filter +
         (subscription.queue.empty() ? "" : " [" + subscription.queue + "]") + " sid " +
         subscription.sid + " of client " + std::to_string(subscription.client) +
         (subscription.max == 0 ? "" : " max " + std::to_string(subscription.max)) +
         (subscription.unsubscribed ? " (unsubscribed)" : "");
}

}  // namespace peal::sim
