#include "server/permissions.hpp"

#include <algorithm>
#include <atomic>

#include "protocol/subject.hpp"

namespace peal::server {
namespace {

constexpr std::string_view blanks = " \t";

std::atomic<uint64_t> permissions_made{0};

bool is_there(const std::optional<std::vector<std::string>>& list) { return list.has_value(); }

// As in nats-server: of a queue that is itself called `*` or `>`, a rule means no more than it
// says.
bool names_queue(std::string_view rule, std::string_view queue) {
  protocol::Tokens wanted(rule), given(queue);
  std::string_view wanted_token, given_token;
  while (wanted.next(wanted_token)) {
    if (!given.next(given_token)) return false;
    if (wanted_token == ">") return true;
    if (given_token.empty() || given_token == ">") return false;
    if (wanted_token != "*" && wanted_token != given_token) return false;
  }
  return given.ended();
}

}  // namespace

// ---- Sets of filters.

void FilterSet::add(std::string_view filter) {
  if (!protocol::has_wildcard(filter)) {
    literals_.emplace(filter);
    return;
  }
  size_t literal_bytes = 0;
  protocol::Tokens tokens(filter);
  for (std::string_view token; tokens.next(token) && token != "*" && token != ">";) {
    literal_bytes += token.size() + 1;
  }
  wild_.push_back({std::string(filter), literal_bytes, filter.substr(literal_bytes) == ">"});
}

bool FilterSet::matches(std::string_view subject) const {
  if (!literals_.empty() && literals_.contains(subject)) return true;
  if (protocol::has_empty_token(subject)) return false;
  return std::ranges::any_of(wild_, [&](const Wild& wild) {
    const std::string_view filter = wild.filter;
    const size_t bytes = wild.literal_bytes;
    if (subject.size() <= bytes || !subject.starts_with(filter.substr(0, bytes))) return false;
    return wild.any_tail || protocol::matches(filter.substr(bytes), subject.substr(bytes));
  });
}

bool FilterSet::covers(std::string_view filter) const {
  return literals_.contains(filter) || std::ranges::any_of(wild_, [&](const Wild& wide) {
           return protocol::covers(wide.filter, filter);
         });
}

bool FilterSet::overlaps(std::string_view filter) const {
  const auto meets = [&](std::string_view other) { return protocol::overlap(filter, other); };
  return std::ranges::any_of(wild_, meets, &Wild::filter) || std::ranges::any_of(literals_, meets);
}

// ---- Rules.

std::optional<SubscribeRule> read_subscribe_rule(std::string_view text) {
  const size_t filter_end = text.find_first_of(blanks);
  SubscribeRule rule{text.substr(0, filter_end), {}};
  if (!protocol::is_valid_filter(rule.filter)) return {};
  if (filter_end == text.npos) return rule;
  const size_t queue_at = text.find_first_not_of(blanks, filter_end);
  if (queue_at == text.npos) return {};
  rule.queue = text.substr(queue_at);
  if (rule.queue.find_first_of(blanks) != text.npos || !protocol::is_valid_filter(rule.queue)) {
    return {};
  }
  return rule;
}

Permissions::Permissions(const PermissionRules& rules)
    : number_(++permissions_made), responses_(rules.responses) {
  // Who may answer, and was allowed nothing by name, may do nothing else.
  publish_.allow_only = is_there(rules.publish.allow) || responses_.has_value();
  if (rules.publish.allow) {
    for (const std::string& filter : *rules.publish.allow) publish_.allow.add(filter);
  }
  for (const std::string& filter : rules.publish.deny) publish_.deny.add(filter);
  publish_.any_deny = !rules.publish.deny.empty();

  const auto add = [](const std::vector<std::string>& texts, FilterSet& plain,
                      std::vector<QueueRule>& queues) {
    for (const std::string& text : texts) {
      const auto rule = read_subscribe_rule(text);
      if (!rule) continue;  // Options have been checked; what is no rule matches nothing.
      if (rule->queue.empty()) {
        plain.add(rule->filter);
      } else {
        queues.push_back({std::string(rule->filter), std::string(rule->queue)});
      }
    }
  };
  subscribe_.allow_only = is_there(rules.subscribe.allow);
  if (rules.subscribe.allow) {
    add(*rules.subscribe.allow, subscribe_.allow, subscribe_.queue_allow);
  }
  add(rules.subscribe.deny, subscribe_.deny, subscribe_.queue_deny);
}

bool Permissions::may_publish(std::string_view subject) const {
  if (publish_.allow_only && !publish_.allow.matches(subject)) return false;
  return !publish_.any_deny || !publish_.deny.matches(subject);
}

// Rules that name a queue say which queues a subject may be subscribed to with; where there is none
// for a subject, whoever may subscribe may do it with any queue.
bool Permissions::SubscribeRules::permits(std::string_view subject, std::string_view queue) const {
  const auto concerns = [&](const QueueRule& rule) {
    return protocol::matches(rule.filter, subject);
  };
  const auto names = [&](const QueueRule& rule) { return names_queue(rule.queue, queue); };
  if (allow_only) {
    bool allowed = allow.matches(subject);
    if (!queue.empty() && std::ranges::any_of(queue_allow, concerns)) {
      allowed = std::ranges::any_of(
          queue_allow, [&](const QueueRule& rule) { return concerns(rule) && names(rule); });
    }
    if (!allowed) return false;
  }
  if (deny.matches(subject)) return false;
  // A queue name may be any text; one that is no subject is what any rule denies.
  const bool odd = protocol::has_empty_token(queue);
  return queue.empty() || std::ranges::none_of(queue_deny, [&](const QueueRule& rule) {
           return concerns(rule) && (odd || names(rule));
         });
}

bool Permissions::SubscribeRules::limits(std::string_view filter) const {
  const auto meets = [&](const QueueRule& rule) { return protocol::overlap(filter, rule.filter); };
  return (allow_only && !allow.covers(filter)) || deny.overlaps(filter) ||
         std::ranges::any_of(queue_allow, meets) || std::ranges::any_of(queue_deny, meets);
}

}  // namespace peal::server
