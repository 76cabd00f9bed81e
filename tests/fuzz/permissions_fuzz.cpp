// Rules and questions from bytes, held against the sentences of the documentation: deny wins; an
// allow list allows what it matches; rules that name a queue decide for the subjects that they
// concern.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/permissions.hpp"
#include "tests/fuzz/naive_subject.hpp"
#include "tests/fuzz/reader.hpp"

namespace {

using namespace peal::fuzz;
using peal::server::PermissionRules;
using peal::server::Permissions;

void expect(bool claim) {
  if (!claim) std::abort();
}

std::string any_filter(Reader& input) {
  static constexpr const char* tokens[] = {"a", "b", "c", "*", "a", "x*", "*", "longer"};
  const uint8_t form = input.byte();
  std::string filter;
  const int count = 1 + form % 3;
  for (int i = 0; i < count; i++) {
    if (i > 0) filter += '.';
    filter += i + 1 == count && (form & 0x80) != 0 ? ">" : tokens[input.byte() % 8];
  }
  return filter;
}

std::string any_subject(Reader& input) {
  std::string subject = any_filter(input);
  if (input.byte() % 16 == 0) subject += "..a";
  return subject;
}

std::vector<std::string> any_list(Reader& input, bool queues) {
  std::vector<std::string> list;
  for (int left = 1 + input.byte() % 3; left > 0; left--) {
    list.push_back(any_filter(input));
    if (queues && input.byte() % 3 == 0) list.back() += " " + any_filter(input);
  }
  return list;
}

struct Rule {
  std::string filter, queue;
};

Rule rule_of(const std::string& text) {
  const size_t blank = text.find(' ');
  if (blank == text.npos) return {text, ""};
  return {text.substr(0, blank), text.substr(blank + 1)};
}

bool plain_matches(const std::vector<std::string>& list, const std::string& subject) {
  for (const std::string& text : list) {
    const Rule rule = rule_of(text);
    // A filter that is said word for word is the rule itself.
    if (rule.queue.empty() && (rule.filter == subject || naive_matches(rule.filter, subject))) {
      return true;
    }
  }
  return false;
}

bool naive_may_publish(const PermissionRules& rules, const std::string& subject) {
  const bool allow_only = rules.publish.allow.has_value() || rules.responses.has_value();
  const bool allowed =
      !allow_only || (rules.publish.allow && plain_matches(*rules.publish.allow, subject));
  return allowed && !plain_matches(rules.publish.deny, subject);
}

// Of a queue that is itself called like a wildcard, a rule means no more than it says.
bool naive_names_queue(const std::string& rule, const std::string& queue) {
  const auto wanted = tokens_of(rule), given = tokens_of(queue);
  for (size_t i = 0; i < wanted.size(); i++) {
    if (i == given.size()) return false;
    if (wanted[i] == ">") return true;
    if (given[i].empty() || given[i] == ">") return false;
    if (wanted[i] != "*" && wanted[i] != given[i]) return false;
  }
  return wanted.size() == given.size();
}

bool naive_may_subscribe(const PermissionRules& rules, const std::string& subject,
                         const std::string& queue) {
  const auto& lists = rules.subscribe;
  if (lists.allow) {
    bool allowed = plain_matches(*lists.allow, subject), concerned = false, named = false;
    for (const std::string& text : *lists.allow) {
      const Rule rule = rule_of(text);
      if (queue.empty() || rule.queue.empty() || !naive_matches(rule.filter, subject)) continue;
      concerned = true;
      named = named || naive_names_queue(rule.queue, queue);
    }
    if (concerned) allowed = named;
    if (!allowed) return false;
  }
  if (plain_matches(lists.deny, subject)) return false;
  for (const std::string& text : lists.deny) {
    const Rule rule = rule_of(text);
    if (queue.empty() || rule.queue.empty() || !naive_matches(rule.filter, subject)) continue;
    if (has(tokens_of(queue), "") || naive_names_queue(rule.queue, queue)) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Reader input(data, size);
  PermissionRules rules;
  const uint8_t form = input.byte();
  if ((form & 1) != 0) rules.publish.allow = any_list(input, false);
  if ((form & 2) != 0) rules.publish.deny = any_list(input, false);
  if ((form & 4) != 0) rules.subscribe.allow = any_list(input, true);
  if ((form & 8) != 0) rules.subscribe.deny = any_list(input, true);
  if ((form & 48) == 48) rules.responses.emplace();
  const Permissions permissions(rules);

  while (!input.ended()) {
    const std::string subject = any_subject(input), filter = any_filter(input);
    const std::string queue = input.byte() % 2 == 0 ? std::string() : any_subject(input);
    expect(permissions.may_publish(subject) == naive_may_publish(rules, subject));
    expect(permissions.may_subscribe(subject, queue) == naive_may_subscribe(rules, subject, queue));
    const bool heard = permissions.may_receive(subject, queue);
    expect(heard == naive_may_subscribe(rules, subject, queue));
    // Whatever may have to be filtered is known beforehand, for nothing else is asked for each
    // message.
    if (!heard && naive_matches(filter, subject)) expect(permissions.filters(filter));
  }
  return 0;
}
