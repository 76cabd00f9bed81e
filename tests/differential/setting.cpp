#include "tests/differential/setting.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/random.hpp"
#include "protocol/subject.hpp"

namespace peal::differential {
namespace {

using core::Random;

// The same small alphabet that the generator takes its subjects from.
std::string any_filter(Random& random) {
  static constexpr const char* tokens[] = {"a", "b", "c", "*"};
  std::string filter;
  const uint32_t count = 1 + random.below(3);
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0) filter += '.';
    const bool last = i + 1 == count;
    filter += last && random.below(4) == 0 ? ">" : tokens[random.below(4)];
  }
  return filter;
}

std::vector<std::string> any_list(Random& random, bool queues) {
  static constexpr const char* groups[] = {" g1.*", " g2.>", " *.*", " g1.none", " >"};
  std::vector<std::string> list;
  for (uint32_t left = 1 + random.below(3); left > 0; left--) {
    list.push_back(any_filter(random));
    if (queues && random.below(5) == 0) list.back() += groups[random.below(5)];
  }
  return list;
}

struct Permissions {
  SubscribeLists publish, subscribe;
  std::string_view responses;
};

SubscribeLists any_lists(Random& random, bool queues) {
  SubscribeLists lists;
  if (random.below(3) == 0) return lists;
  const uint32_t form = random.below(4);
  if (form != 0) lists.allow = any_list(random, queues);
  if (form != 1) lists.deny = any_list(random, queues);
  return lists;
}

Permissions any_permissions(Random& random) {
  Permissions permissions{any_lists(random, false), any_lists(random, true), {}};
  if (random.below(4) == 0) {
    permissions.responses = random.below(2) == 0 ? "true" : "{ max: 3, expires: \"1m\" }";
  }
  return permissions;
}

/// Of all users: the first of each account has none.
std::vector<Permissions> all_permissions(const Setting& setting) {
  Random random(setting.seed);
  std::vector<Permissions> all(accounts_at_once * users_per_account);
  if (setting.kind != Setting::Kind::permissions) return all;
  for (size_t user = 0; user < all.size(); user++) {
    if (user % users_per_account != 0) all[user] = any_permissions(random);
  }
  return all;
}

std::string text_of(std::string_view name, const std::vector<std::string>& list) {
  if (list.empty()) return {};
  std::string text(name);
  for (const std::string& one : list) text += (&one == &list[0] ? ": [\"" : "\", \"") + one;
  return text + "\"]; ";
}

std::string text_of(std::string_view name, const SubscribeLists& lists) {
  const std::string text = text_of("allow", lists.allow) + text_of("deny", lists.deny);
  return text.empty() ? text : std::string(name) + ": { " + text + "}; ";
}

std::string text_of(const Permissions& permissions) {
  std::string text = text_of("publish", permissions.publish);
  text += text_of("subscribe", permissions.subscribe);
  if (!permissions.responses.empty()) {
    text += "allow_responses: " + std::string(permissions.responses) + "; ";
  }
  return text.empty() ? text : ", permissions: { " + text + "}";
}

std::string account_config(const Setting& setting) {
  const auto permissions = all_permissions(setting);
  std::string text = "authorization { timeout: 60 }\naccounts {\n";
  for (size_t account = 0; account < accounts_at_once; account++) {
    text += fmt::format("  A{:03} {{ users = [\n", account);
    for (size_t user = 0; user < users_per_account; user++) {
      text += fmt::format("    {{ user: u{:03}_{}, password: p{} }}\n", account, user,
                          text_of(permissions[account * users_per_account + user]));
    }
    text += "  ] }\n";
  }
  return text + "}\n";
}

bool any_matches(const std::vector<std::string>& filters, std::string_view subject) {
  return std::any_of(filters.begin(), filters.end(),
                     [&](const std::string& filter) { return protocol::matches(filter, subject); });
}

bool names_queues(const std::vector<std::string>& list) {
  return std::any_of(list.begin(), list.end(),
                     [](const std::string& one) { return one.find(' ') != one.npos; });
}

}  // namespace

bool may_hear(const SubscribeLists& lists, std::string_view subject, bool of_queue) {
  if (of_queue && (names_queues(lists.allow) || names_queues(lists.deny))) return false;
  if (!lists.allow.empty() && !any_matches(lists.allow, subject)) return false;
  return !any_matches(lists.deny, subject);
}

std::vector<SubscribeLists> subscribe_lists(const Setting& setting) {
  std::vector<SubscribeLists> lists;
  for (const Permissions& one : all_permissions(setting)) {
    lists.push_back(one.subscribe);
    lists.back().may_answer = !one.responses.empty();
  }
  return lists;
}

std::optional<Setting::Kind> kind_of(std::string_view name) {
  using Kind = Setting::Kind;
  if (name == "open") return Kind::open;
  if (name == "limits") return Kind::limits;
  if (name == "accounts") return Kind::accounts;
  if (name == "permissions") return Kind::permissions;
  return {};
}

std::string config_text(const Setting& setting) {
  switch (setting.kind) {
    case Setting::Kind::open:
      return "";
    case Setting::Kind::limits:
      return fmt::format(
          "max_payload: {}\nmax_control_line: {}\nmax_subscriptions: 4\n"
          "max_subscription_tokens: 4\n",
          setting.payload_bytes_max(), setting.control_line_bytes_max());
    case Setting::Kind::accounts:
    case Setting::Kind::permissions:
      return account_config(setting);
  }
  __builtin_unreachable();
}

}  // namespace peal::differential
