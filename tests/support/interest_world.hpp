#pragma once
// Several shards' Interest, wired to each other by lanes that deliver late, beside a list of all
// subscriptions that is searched from end to end. After each step the two must say the same. Chance
// comes from outside: from a seed in the tests, from bytes in the fuzzer.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "protocol/subject.hpp"
#include "server/interest.hpp"

namespace peal::tests {

/// A plan as values that can be compared.
struct PlanValue {
  using Member = std::pair<uint32_t, std::string>;  // Owner and sid.
  struct Queue {
    std::multiset<Member> here;
    std::map<server::ShardId, uint64_t> elsewhere;
    bool operator==(const Queue&) const = default;
  };
  std::multiset<Member> plain;
  std::set<server::ShardId> shards;
  std::map<std::string, Queue> queues;
  bool operator==(const PlanValue&) const = default;
};

inline void expect(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

inline PlanValue value_of(const server::Plan& plan) {
  PlanValue value;
  const auto member = [](const server::Subscription* subscription) {
    return PlanValue::Member{subscription->owner, subscription->sid()};
  };
  for (const auto* subscription : plan.plain) {
    expect(!subscription->in_queue_group, "a plain subscription says so");
    value.plain.insert(member(subscription));
  }
  value.shards.insert(plan.shards.begin(), plan.shards.end());
  expect(value.shards.size() == plan.shards.size(), "each shard once");
  expect(std::is_sorted(plan.shards.begin(), plan.shards.end()), "shards in order");
  for (const server::QueuePlan& queue : plan.queues) {
    expect(!value.queues.contains(std::string(queue.name)), "each group once");
    PlanValue::Queue& joined = value.queues[std::string(queue.name)];
    for (const auto* subscription : queue.here) {
      expect(subscription->in_queue_group, "a member of a group says so");
      joined.here.insert(member(subscription));
    }
    uint64_t sum = 0;
    for (const auto& [shard, members] : queue.elsewhere) {
      expect(members > 0 && !joined.elsewhere.contains(shard), "each shard of a group once");
      joined.elsewhere[shard] = members;
      sum += members;
    }
    expect(sum == queue.members_elsewhere, "the sum over elsewhere");
    expect(!joined.here.empty() || sum > 0, "no group without members");
  }
  expect(plan.empty() == (value == PlanValue{}), "empty() is so");
  return value;
}

class InterestWorld {
 public:
  /// A number below the bound.
  using Chance = std::function<uint32_t(uint32_t bound)>;

  InterestWorld(server::ShardId shards, uint64_t seed, Chance chance)
      : chance_(std::move(chance)), lanes_(shards), heard_(shards), routes_(shards) {
    for (server::ShardId here = 0; here < shards; here++) {
      shards_.push_back(std::make_unique<server::Interest>(here, shards, seed + here));
      lanes_[here].resize(shards);
      heard_[here].resize(shards);
    }
  }

  /// One operation, and whatever can be checked after it.
  void step() {
    const auto here = static_cast<server::ShardId>(chance_(count()));
    switch (chance_(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        subscribe(here);
        break;
      case 4:
      case 5:
        unsubscribe_any();
        break;
      case 6:
      case 7:
        hand_over(here, 1 + chance_(4));
        break;
      case 8:
      case 9:
        deliver(here, 1 + chance_(4));
        break;
      case 10:
      case 11:
      case 12:
        check_match(here, any_account(), any_subject());
        break;
      case 13:
        check_match_during_unsubscribe(here);
        break;
      case 14:
        chance_(8) == 0 ? close_owner(here, chance_(owners)) : keep_route(here);
        break;
      case 15:
        chance_(4) == 0 ? reclaim(here) : check_match_after_change(here);
        break;
    }
    check_routes();
    check_fences();
    check_counts();
  }

  /// Everybody hears everything; then what each knows of the others must be the truth.
  void drain() {
    for (server::ShardId here = 0; here < count(); here++) hand_over(here, UINT32_MAX);
    for (server::ShardId here = 0; here < count(); here++) deliver(here, UINT32_MAX);
    for (server::ShardId to = 0; to < count(); to++) {
      for (server::ShardId from = 0; from < count(); from++) {
        if (from == to) continue;
        expect(heard_[to][from].members == truth(from), "after draining all is known");
        expect(heard_[to][from].epoch == shards_[from]->change_epoch(), "and its epoch is");
      }
      for (int i = 0; i < 8; i++) check_match(to, any_account(), any_subject());
    }
  }

  void close_all() {
    for (server::ShardId here = 0; here < count(); here++) {
      for (uint32_t owner = 0; owner < owners; owner++) close_owner(here, owner);
    }
    drain();
    for (server::ShardId here = 0; here < count(); here++) reclaim(here);
  }

  server::Interest& shard(server::ShardId here) { return *shards_[here]; }

 private:
  static constexpr uint32_t owners = 4;

  using Name = std::tuple<server::AccountId, std::string, std::string>;  // Filter and queue.

  struct Sub {
    server::ShardId shard;
    uint32_t owner;
    std::string sid;
    Name name;
    server::Subscription* subscription;
    uint64_t fence;
  };
  struct Change {
    Name name;
    uint32_t members;
    uint64_t epoch;
  };
  struct Heard {
    std::map<Name, uint32_t> members;
    uint64_t epoch = 0;
  };
  struct Route {
    server::AccountId account;
    std::string subject;
    uint64_t epoch;
    std::vector<const server::Subscription*> plain;
    PlanValue value;
  };

  server::ShardId count() const { return static_cast<server::ShardId>(lanes_.size()); }

  // ---- Chance.

  server::AccountId any_account() { return chance_(4) == 0 ? 3 : 0; }

  std::string any_token(bool with_wildcards) {
    static const char* const tokens[] = {"a", "b", "c", "longer_than_a_word_is", "*", "x*", ">"};
    return tokens[chance_(with_wildcards ? 7 : 4)];
  }

  std::string any_filter() {
    std::string filter;
    for (uint32_t left = 1 + chance_(4); left > 0; left--) {
      std::string token = any_token(true);
      if (token == ">" && left > 1) token = "*";
      filter += (filter.empty() ? "" : ".") + token;
    }
    return filter;
  }

  std::string any_subject() {
    std::string subject;
    for (uint32_t left = 1 + chance_(4); left > 0; left--) {
      subject += (subject.empty() ? "" : ".") + any_token(chance_(8) == 0);
    }
    switch (chance_(32)) {
      case 0:
        return subject + ".";
      case 1:
        return "." + subject;
      case 2:
        return "a.." + subject;
      case 3:
        return "";
      default:
        return subject;
    }
  }

  std::string any_sid() {
    const uint32_t number = chance_(24);
    if (number == 0) return "";
    std::string sid = std::to_string(number);
    if (number % 5 == 0)
      sid += std::string(number, 's');  // 11 to 22 bytes: on both sides of inline.
    return sid;
  }

  // ---- Operations.

  void subscribe(server::ShardId here) { subscribe(here, any_account(), any_filter()); }

  void subscribe(server::ShardId here, server::AccountId account, const std::string& filter) {
    static const char* const queues[] = {"", "", "q", "another"};
    const uint32_t owner = chance_(owners);
    const std::string sid = any_sid();
    const Name name{account, filter, queues[chance_(4)]};
    const bool known = std::any_of(subs_.begin(), subs_.end(), [&](const Sub& sub) {
      return sub.shard == here && sub.owner == owner && sub.sid == sid;
    });
    server::Interest& interest = *shards_[here];
    const uint64_t epoch = interest.epoch();
    server::Subscription* const made = interest.subscribe(
        std::get<0>(name), owner, owned(here, owner), sid, std::get<1>(name), std::get<2>(name));
    expect((made == nullptr) == known, "a sid is taken once");
    expect((interest.find(owner, sid) != nullptr), "what was subscribed is found");
    if (made == nullptr) return;
    expect(interest.epoch() != epoch, "a new subscription changes plans");
    expect(made->in_force && made->owner == owner && made->sid() == sid, "it is as asked for");
    expect(interest.at(made->id) == made && interest.find(owner, sid) == made, "and found");
    expect(interest.filter_of(*made) == std::get<1>(name), "with its filter");
    expect(interest.queue_of(*made) == std::get<2>(name), "and its queue");
    subs_.push_back({here, owner, sid, name, made, interest.change_epoch()});
  }

  void unsubscribe(size_t at) {
    const Sub sub = subs_[at];
    server::Interest& interest = *shards_[sub.shard];
    const uint64_t epoch = interest.epoch();
    interest.unsubscribe(*sub.subscription, owned(sub.shard, sub.owner));
    expect(interest.epoch() != epoch, "one less changes plans");
    expect(!sub.subscription->in_force && sub.subscription->sid() == sub.sid, "readable still");
    expect(interest.find(sub.owner, sub.sid) == nullptr, "and not found");
    subs_[at] = subs_.back();
    subs_.pop_back();
  }

  void unsubscribe_any() {
    if (!subs_.empty()) unsubscribe(chance_(static_cast<uint32_t>(subs_.size())));
  }

  void close_owner(server::ShardId here, uint32_t owner) {
    uint32_t& head = owned(here, owner);
    while (head != server::no_subscription) {
      const auto* subscription = shards_[here]->at(head);
      const auto found = std::find_if(subs_.begin(), subs_.end(), [&](const Sub& sub) {
        return sub.subscription == subscription && sub.shard == here;
      });
      expect(found != subs_.end() && found->owner == owner, "the list has the owner's");
      unsubscribe(static_cast<size_t>(found - subs_.begin()));
    }
    expect(std::none_of(subs_.begin(), subs_.end(),
                        [&](const Sub& sub) { return sub.shard == here && sub.owner == owner; }),
           "and all of them");
  }

  void hand_over(server::ShardId from, uint32_t changes_max) {
    for (server::ShardId to = 0; to < count(); to++) {
      if (to == from || (changes_max != UINT32_MAX && chance_(2) == 0)) continue;
      server::InterestChange change;
      for (uint32_t i = 0; i < changes_max && shards_[from]->next_change(to, change); i++) {
        lanes_[from][to].push_back(
            {{change.account, std::string(change.filter), std::string(change.queue)},
             change.members,
             change.epoch});
        shards_[from]->taken(to);
      }
    }
  }

  void deliver(server::ShardId to, uint32_t changes_max) {
    for (server::ShardId from = 0; from < count(); from++) {
      std::deque<Change>& lane = lanes_[from][to];
      for (uint32_t i = 0; i < changes_max && !lane.empty(); i++) {
        const Change change = lane.front();
        lane.pop_front();
        const auto& [account, filter, queue] = change.name;
        shards_[to]->apply(from, {account, filter, queue, change.members, change.epoch});
        Heard& heard = heard_[to][from];
        if (change.members == 0) {
          heard.members.erase(change.name);
        } else {
          heard.members[change.name] = change.members;
        }
        expect(change.epoch > heard.epoch, "epochs rise");
        heard.epoch = change.epoch;
      }
    }
  }

  void reclaim(server::ShardId here) {
    shards_[here]->reclaim();
    if (chance_(2) == 0) routes_[here].reset();
  }

  // ---- Checks.

  PlanValue expected(server::ShardId here, server::AccountId account, const std::string& subject) {
    PlanValue value;
    for (const Sub& sub : subs_) {
      const auto& [its_account, filter, queue] = sub.name;
      if (sub.shard != here || its_account != account) continue;
      if (!protocol::matches(filter, subject)) continue;
      auto& members = queue.empty() ? value.plain : value.queues[queue].here;
      members.insert({sub.owner, sub.sid});
    }
    for (server::ShardId from = 0; from < count(); from++) {
      for (const auto& [name, members] : heard_[here][from].members) {
        const auto& [its_account, filter, queue] = name;
        if (its_account != account || !protocol::matches(filter, subject)) continue;
        if (queue.empty()) {
          value.shards.insert(from);
        } else {
          value.queues[queue].elsewhere[from] += members;
        }
      }
    }
    return value;
  }

  const server::Plan& check_match(server::ShardId here, server::AccountId account,
                                  const std::string& subject) {
    const PlanValue wanted = expected(here, account, subject);
    for (uint32_t again = chance_(3); again > 0; again--) {
      expect(value_of(shards_[here]->match(account, subject)) == wanted, "the plan is right");
    }
    const server::Plan& plan = shards_[here]->match(account, subject);
    expect(value_of(plan) == wanted, "the plan is right, from the cache or not");
    if (plan.for_any_last_token) check_siblings(here, account, subject, wanted);
    return plan;
  }

  void check_siblings(server::ShardId here, server::AccountId account, const std::string& subject,
                      const PlanValue& wanted) {
    const std::string stem = subject.substr(0, subject.rfind('.') + 1);
    for (const char* const last : {"a", "b", "c", "longer_than_a_word_is", "*", "x*", ">", "new"}) {
      const std::string sibling = stem + last;
      if (shards_[here]->is_literal_filter(account, sibling)) continue;
      expect(expected(here, account, sibling) == wanted, "a plan for any last token is one");
    }
  }

  void check_match_during_unsubscribe(server::ShardId here) {
    const server::AccountId account = any_account();
    const std::string subject = any_subject();
    const server::Plan& plan = check_match(here, account, subject);
    const PlanValue before = value_of(plan);
    for (uint32_t i = chance_(4); i > 0; i--) unsubscribe_any();
    expect(value_of(plan) == before, "a plan that is walked stays as it was");
    const auto in_force = [&](const server::Subscription* subscription) {
      return std::any_of(subs_.begin(), subs_.end(), [&](const Sub& sub) {
        return sub.shard == here && sub.subscription == subscription;
      });
    };
    for (const auto* one : plan.plain) expect(one->in_force == in_force(one), "and says who left");
  }

  /// A change of one filter, of whatever form, reaches the plan of a subject that it matches.
  /// Nothing else changes meanwhile that could hide it.
  void check_match_after_change(server::ShardId here) {
    const server::AccountId account = any_account();
    const std::string subject = any_subject();
    if (protocol::has_empty_token(subject)) return;
    for (int i = 0; i < 3; i++) check_match(here, account, subject);
    std::string filter;
    protocol::Tokens tokens(subject);
    for (std::string_view token; tokens.next(token);) {
      const uint32_t as = chance_(5);
      if (as == 0) {
        filter += ">";
        break;
      }
      filter += as == 1 || token == ">" ? "*" : token;
      if (!tokens.ended()) filter += ".";
    }
    subscribe(here, account, filter);
    for (int i = 0; i < 3; i++) check_match(here, account, subject);
    if (!subs_.empty() && subs_.back().shard == here) unsubscribe(subs_.size() - 1);
    check_match(here, account, subject);
  }

  void keep_route(server::ShardId here) {
    const server::AccountId account = any_account();
    const std::string subject = any_subject();
    const server::Plan& plan = check_match(here, account, subject);
    routes_[here] = {account,
                     subject,
                     shards_[here]->epoch(),
                     {plan.plain.begin(), plan.plain.end()},
                     value_of(plan)};
  }

  void check_routes() {
    for (server::ShardId here = 0; here < count(); here++) {
      const std::optional<Route>& route = routes_[here];
      if (!route || route->epoch != shards_[here]->epoch()) continue;
      expect(expected(here, route->account, route->subject) == route->value,
             "a plan holds while the epoch does");
      for (const auto* subscription : route->plain) {
        expect(subscription->in_force, "and so do its pointers");
      }
    }
  }

  /// Once a shard has heard up to where the subscriber waited, it knows of the subscription.
  void check_fences() {
    for (const Sub& sub : subs_) {
      for (server::ShardId to = 0; to < count(); to++) {
        if (to == sub.shard || heard_[to][sub.shard].epoch < sub.fence) continue;
        expect(heard_[to][sub.shard].members.contains(sub.name), "the fence holds");
      }
    }
  }

  void check_counts() {
    for (server::ShardId here = 0; here < count(); here++) {
      const auto subs = std::count_if(subs_.begin(), subs_.end(),
                                      [&](const Sub& sub) { return sub.shard == here; });
      expect(shards_[here]->subscriptions() == static_cast<size_t>(subs), "the count is right");
    }
  }

  std::map<Name, uint32_t> truth(server::ShardId here) {
    std::map<Name, uint32_t> members;
    for (const Sub& sub : subs_) {
      if (sub.shard != here) continue;
      uint32_t& known = members[sub.name];
      known = std::get<2>(sub.name).empty() ? 1 : known + 1;
    }
    return members;
  }

  uint32_t& owned(server::ShardId here, uint32_t owner) {
    return owned_.try_emplace({here, owner}, server::no_subscription).first->second;
  }

  Chance chance_;
  std::vector<std::unique_ptr<server::Interest>> shards_;
  std::vector<Sub> subs_;
  std::map<std::pair<server::ShardId, uint32_t>, uint32_t> owned_;
  std::vector<std::vector<std::deque<Change>>> lanes_;  // From, to.
  std::vector<std::vector<Heard>> heard_;               // At, of.
  std::vector<std::optional<Route>> routes_;
};

}  // namespace peal::tests
