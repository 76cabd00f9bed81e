#pragma once
// What a user may publish and subscribe to. Rules in, verdicts out. It knows subjects and queue
// names; it must never know a connection, nor remember what it was asked: RouteMemo, VerdictCache
// and the plans of interest do, so that a verdict is reached once for a subject and not for every
// message.
//
// Immutable once made, and shared by all connections of the user on all threads.
//
// Verdicts are nats-server's, and deny always wins. In one matter deliveries are stricter: a
// subscription whose filter is wider than what is allowed gets only what is allowed.

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "server/security_options.hpp"

namespace peal::server {

/// Filters, to be asked whether one of them matches. Literals cost one look-up however many there
/// are; those with wildcards are tried one by one.
class FilterSet {
 public:
  void add(std::string_view filter);

  bool matches(std::string_view subject) const;
  /// Whether one filter of the set matches all that `filter` does.
  bool covers(std::string_view filter) const;
  /// Whether some subject is matched by `filter` and by one of the set.
  bool overlaps(std::string_view filter) const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Wild {
    std::string filter;
    size_t literal_bytes;  // In front of its first wildcard: most subjects differ there already.
    bool any_tail;         // What follows is `>`, so there is nothing else to compare.
  };

  std::unordered_set<std::string, Hash, std::equal_to<>> literals_;
  std::vector<Wild> wild_;
};

class Permissions {
 public:
  explicit Permissions(const PermissionRules& rules);

  bool may_publish(std::string_view subject) const;

  /// Of these alone, in this process; from 1 on.
  uint64_t number() const { return number_; }

  /// Whether a subscription may be made; `queue` is empty for a plain one. A filter is looked up
  /// as if its wildcards were text, as nats-server does.
  bool may_subscribe(std::string_view filter, std::string_view queue) const {
    return subscribe_.permits(filter, queue);
  }

  /// Whether such a subscription could match subjects that its owner must not see, so that
  /// may_receive() is to be asked for each.
  bool filters(std::string_view filter) const { return subscribe_.limits(filter); }

  /// Whether a message on this subject may be delivered to a subscription of that queue.
  bool may_receive(std::string_view subject, std::string_view queue) const {
    return subscribe_.permits(subject, queue);
  }

  bool restricts_publish() const { return publish_.allow_only || publish_.any_deny; }
  const std::optional<ResponseRules>& responses() const { return responses_; }

 private:
  struct QueueRule {
    std::string filter;
    std::string queue;  // May have wildcards.
  };
  struct PublishRules {
    FilterSet allow, deny;
    bool allow_only = false;
    bool any_deny = false;
  };
  struct SubscribeRules {
    FilterSet allow, deny;
    std::vector<QueueRule> queue_allow, queue_deny;
    bool allow_only = false;

    bool permits(std::string_view subject, std::string_view queue) const;
    bool limits(std::string_view filter) const;
  };

  const uint64_t number_;
  PublishRules publish_;
  SubscribeRules subscribe_;
  std::optional<ResponseRules> responses_;
};

/// Splits `filter queue` of a subscribe rule. Nothing if it is neither that nor a filter.
struct SubscribeRule {
  std::string_view filter;
  std::string_view queue;
};
std::optional<SubscribeRule> read_subscribe_rule(std::string_view text);

}  // namespace peal::server
