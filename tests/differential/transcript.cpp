#include "tests/differential/transcript.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace peal::differential {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == line.npos) return words;
    line.remove_prefix(begin);
    words.push_back(line.substr(0, line.find_first_of(" \t")));
    line.remove_prefix(words.back().size());
  }
}

bool is_message(std::string_view line) {
  return line.starts_with("MSG ") || line.starts_with("HMSG ");
}

// The third word of MSG and HMSG.
std::string_view sid_of(std::string_view line) {
  const auto words = words_of(line);
  return words.size() > 2 ? words[2] : std::string_view();
}

std::string with_sid(std::string_view line, std::string_view sid) {
  const std::string_view old = sid_of(line);
  const size_t at = static_cast<size_t>(old.data() - line.data());
  return fmt::format("{}{}{}", line.substr(0, at), sid, line.substr(at + old.size()));
}

bool is_no_responders(const Reply& reply) {
  return reply.line.starts_with("HMSG ") &&
         reply.message.starts_with("NATS/1.0 503\r\nNats-Subject:");
}

// By the generator's word for it.
bool is_of_queue(std::string_view sid) {
  return sid.size() > 3 && sid[0] == 'Q' && sid[1] >= '1' && sid[1] <= '3' && sid[2] == '.';
}

// A member that takes no headers gets none.
std::string without_headers(const Reply& reply) {
  const auto words = words_of(reply.line);
  const bool with_headers = reply.line[0] == 'H';
  const size_t sizes = with_headers ? 2 : 1;
  if (words.size() < 3 + sizes) return reply.line + reply.message;
  const std::string_view answer_to = words.size() > 3 + sizes ? words[3] : std::string_view();
  const size_t header_bytes =
      with_headers ? std::strtoul(words[words.size() - 2].data(), nullptr, 10) : 0;
  return fmt::format("{} {} [{}]", words[1], answer_to,
                     reply.message.substr(std::min(header_bytes, reply.message.size())));
}

void add(std::string& text, const Reply& reply) {
  text += reply.line;
  if (is_message(reply.line)) text += fmt::format(" [{}]", reply.message);
  text += " | ";
}

// Copies of one message stand together; in which order is the server's choice.
void sort_copies(std::vector<Reply>& replies) {
  const auto same_message = [](const Reply& one, const Reply& other) {
    return is_message(one.line) && is_message(other.line) && one.message == other.message &&
           with_sid(one.line, "") == with_sid(other.line, "");
  };
  for (size_t begin = 0; begin < replies.size();) {
    size_t end = begin + 1;
    while (end < replies.size() && same_message(replies[begin], replies[end])) end++;
    std::sort(replies.begin() + static_cast<ptrdiff_t>(begin),
              replies.begin() + static_cast<ptrdiff_t>(end),
              [](const Reply& one, const Reply& other) { return one.line < other.line; });
    begin = end;
  }
}

// ---- Rows of docs/protocol.md.

// Shorter than the shortest max_control_line of a setting.
constexpr size_t long_line_bytes = 290;

std::string wild_bytes(const Session& session) {
  std::string bytes;
  if (session.steps.empty() || !session.steps.back().wild) return bytes;
  for (const Command& command : session.steps.back().commands) bytes += command.bytes;
  return bytes + "PING\r\n";
}

bool has_control_bytes(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); i++) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte == '\r') {
      if (i + 1 >= bytes.size() || bytes[i + 1] != '\n') return true;
    } else if (byte < ' ' && byte != '\t' && byte != '\n') {
      return true;
    }
  }
  return false;
}

bool is_verb(std::string_view word, std::string_view verb) {
  return word.size() == verb.size() &&
         std::equal(word.begin(), word.end(), verb.begin(),
                    [](char one, char other) { return (one & ~0x20) == (other & ~0x20); });
}

bool starts_with_verb(std::string_view line, std::string_view verb) {
  return is_verb(line.substr(0, verb.size()), verb);
}

bool is_number(std::string_view word) {
  return !word.empty() && word.size() <= 9 && word.find_first_not_of("0123456789") == word.npos;
}

Transcript without_invalid_publish(Transcript transcript) {
  for (auto& step : transcript.steps) {
    for (auto& replies : step) {
      std::erase_if(replies, [](const Reply& reply) {
        return reply.line.starts_with("-ERR 'Invalid Publish");
      });
    }
  }
  return transcript;
}

std::string_view rule_for_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (starts_with_verb(line, "INFO") && line != "INFO {}") return "what follows INFO from a client";
  if (starts_with_verb(line, "-ERR")) return "what stands behind -ERR in the same packet";
  const bool ignores_rest = starts_with_verb(line, "PING") || starts_with_verb(line, "PONG") ||
                            starts_with_verb(line, "+OK");
  if (ignores_rest && line.size() > long_line_bytes)
    return "the rest of a line after PING, PONG, +OK";
  const auto words = words_of(line);
  if (words.empty()) return {};
  const std::string_view verb = words[0];
  const bool publishes = is_verb(verb, "PUB") || is_verb(verb, "HPUB");
  const bool takes_arguments =
      publishes || is_verb(verb, "SUB") || is_verb(verb, "UNSUB") || is_verb(verb, "CONNECT");
  if (takes_arguments && words.size() == 1) return "a line feed just after the verb's blank";
  if (is_verb(verb, "UNSUB") && words.size() == 3 && !is_number(words[2])) {
    return "the maximum of UNSUB is no number";
  }
  if (publishes) {
    for (size_t i = 2; i < words.size(); i++) {
      if (words[i].size() > 1 && words[i][0] == '0' && is_number(words[i])) {
        return "zeros in front of a size";
      }
    }
  }
  if (is_verb(verb, "CONNECT")) {
    if (line.find("\\u") != line.npos || line.find("\\U") != line.npos) {
      return "CONNECT with half a surrogate pair";
    }
    return "a second CONNECT";
  }
  return {};
}

}  // namespace

bool take_reply(std::string& bytes, Reply& reply) {
  const size_t newline = bytes.find('\n');
  if (newline == bytes.npos) return false;
  std::string_view line(bytes.data(), newline);
  if (line.ends_with('\r')) line.remove_suffix(1);
  size_t message_bytes = 0;
  if (is_message(line)) {
    message_bytes = std::strtoul(words_of(line).back().data(), nullptr, 10);
    if (bytes.size() < newline + 1 + message_bytes + 2) return false;
  }
  reply.line = line;
  reply.message = bytes.substr(newline + 1, message_bytes);
  bytes.erase(0, newline + 1 + (is_message(reply.line) ? message_bytes + 2 : 0));
  return true;
}

std::vector<std::string> comparable(const Session& session, const Transcript& transcript) {
  std::vector<std::string> text, no_responders;
  for (size_t step = 0; step < transcript.steps.size(); step++) {
    std::vector<std::string> shared;  // What was a queue group's, whoever got it.
    std::string line;
    for (size_t client = 0; client < session.clients; client++) {
      std::vector<Reply> replies = transcript.steps[step][client];
      sort_copies(replies);
      line += fmt::format("{}: ", static_cast<char>('A' + client));
      std::string_view last;
      for (const Reply& reply : replies) {
        const std::string_view sid = is_message(reply.line) ? sid_of(reply.line) : "";
        if (is_no_responders(reply)) {
          std::string one = fmt::format("{} ", static_cast<char>('A' + client));
          add(one, {with_sid(reply.line, "?"), reply.message});
          no_responders.push_back(std::move(one));
        } else if (is_of_queue(sid)) {
          shared.push_back(fmt::format("{}: {} | ", sid.substr(0, 2), without_headers(reply)));
        } else if (reply.line != last || !reply.line.starts_with("-ERR 'Invalid Publish")) {
          // nats-server says that twice when the message came in two packets.
          add(line, reply);
        }
        last = reply.line;
      }
    }
    std::sort(shared.begin(), shared.end());
    for (const std::string& one : shared) line += one;
    text.push_back(std::move(line));
  }
  std::sort(no_responders.begin(), no_responders.end());
  for (std::string& one : no_responders) text.push_back(std::move(one));
  text.push_back(transcript.trouble);
  return text;
}

std::string_view rule_for(const Session& session) {
  const std::string bytes = wild_bytes(session);
  if (bytes.empty()) return {};
  if (has_control_bytes(bytes)) return "control bytes among the arguments";
  std::string_view rest = bytes;
  bool first = true;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view rule = rule_for_line(rest.substr(0, end));
    const bool connects = rule == "a second CONNECT";
    if (!rule.empty() && !(connects && first && session.steps.size() == 1)) return rule;
    first = false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

namespace {

Transcript without_no_responders(Transcript transcript) {
  for (auto& step : transcript.steps) {
    for (auto& replies : step) std::erase_if(replies, is_no_responders);
  }
  return transcript;
}

// That others have lost their last subscription, another thread may say a moment later.
bool subscribes_behind_request(const Session& session) {
  for (const Step& step : session.steps) {
    bool has_asked = false;
    for (const Command& command : step.commands) {
      const auto words =
          words_of(std::string_view(command.bytes).substr(0, command.bytes.find('\r')));
      if (words.empty()) continue;
      if (has_asked && is_verb(words[0], "SUB")) return true;
      has_asked |= (is_verb(words[0], "PUB") && words.size() > 3) ||
                   (is_verb(words[0], "HPUB") && words.size() > 4);
    }
  }
  return false;
}

}  // namespace

Verdict compare(const Session& session, const Transcript& one, const Transcript& other,
                bool reference) {
  const auto left = comparable(session, one), right = comparable(session, other);
  if (left == right) return {};
  if (!reference) {
    const bool late =
        subscribes_behind_request(session) && comparable(session, without_no_responders(one)) ==
                                                  comparable(session, without_no_responders(other));
    return {late, {}};
  }
  const size_t tame_steps =
      session.steps.size() - (session.steps.empty() || !session.steps.back().wild ? 0 : 1);
  const auto tame = static_cast<ptrdiff_t>(tame_steps);
  if (!std::equal(left.begin(), left.begin() + tame, right.begin())) return {false, {}};
  // nats-server objects to a subject when it has the line, and again when it has the message.
  if (comparable(session, without_invalid_publish(one)) ==
      comparable(session, without_invalid_publish(other))) {
    return {false, "publish to a subject with a wildcard, payload in a later packet"};
  }
  return {false, rule_for(session)};
}

namespace {

// By client; nothing for one that has not said who it is.
std::vector<const SubscribeLists*> lists_of_clients(const Session& session,
                                                    std::span<const SubscribeLists> lists) {
  const std::string name = std::string("\"u") + account_mark + "_";
  std::vector<const SubscribeLists*> of_client(session.clients);
  for (const Step& step : session.steps) {
    for (const Command& command : step.commands) {
      const size_t at = command.bytes.find(name);
      if (at == command.bytes.npos || at + name.size() >= command.bytes.size()) continue;
      const auto user = static_cast<size_t>(command.bytes[at + name.size()] - '0');
      if (user < lists.size()) of_client[step.client] = &lists[user];
    }
  }
  return of_client;
}

// nats-server forgets what a client may answer when it has got the request twice.
bool denies_answers(const std::vector<Reply>& one, const std::vector<Reply>& other) {
  const auto denials = [](const std::vector<Reply>& replies) {
    return std::count_if(replies.begin(), replies.end(), [](const Reply& reply) {
      return reply.line.starts_with("-ERR 'Permissions Violation for Publish to ");
    });
  };
  return denials(one) > denials(other);
}

}  // namespace

std::string_view rule_for_permissions(const Session& session, const Transcript& one,
                                      const Transcript& other,
                                      std::span<const SubscribeLists> lists) {
  const auto of_client = lists_of_clients(session, lists);
  for (size_t step = 0; step < one.steps.size(); step++) {
    for (size_t client = 0; client < session.clients; client++) {
      if (of_client[client] == nullptr) continue;
      const auto& replies = one.steps[step][client];
      if (of_client[client]->may_answer && denies_answers(replies, other.steps[step][client])) {
        return "an answer to a request that came to two subscriptions";
      }
      for (const Reply& reply : replies) {
        if (!is_message(reply.line)) continue;
        const auto words = words_of(reply.line);
        if (words.size() < 3) continue;
        if (!may_hear(*of_client[client], words[1], is_of_queue(words[2]))) {
          return "a subscription wider than what is allowed";
        }
      }
    }
  }
  return {};
}

}  // namespace peal::differential
