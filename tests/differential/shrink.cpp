#include "tests/differential/shrink.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

namespace peal::differential {
namespace {

constexpr size_t tries_max = 600;
constexpr auto time_max = std::chrono::seconds(30);

class Shrinker {
 public:
  Shrinker(Session session, const std::function<bool(const Session&)>& fails)
      : best_(std::move(session)), fails_(fails) {}

  Session run() {
    bool smaller = true;
    while (smaller && !tired()) {
      smaller = drop_steps();
      smaller = drop_commands() || smaller;
      smaller = drop_bytes() || smaller;
    }
    return best_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool tired() const { return tries_ > tries_max || Clock::now() > end_; }

  bool keep_if_fails(Session candidate) {
    tries_++;
    if (tired() || !fails_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }

  bool drop_steps() {
    bool any = false;
    for (size_t at = best_.steps.size(); at-- > 0 && best_.steps.size() > 1;) {
      Session candidate = best_;
      candidate.steps.erase(candidate.steps.begin() + static_cast<ptrdiff_t>(at));
      any = keep_if_fails(std::move(candidate)) || any;
    }
    return any;
  }

  bool drop_commands() {
    bool any = false;
    for (size_t step = 0; step < best_.steps.size(); step++) {
      for (size_t at = best_.steps[step].commands.size(); at-- > 0;) {
        Session candidate = best_;
        auto& commands = candidate.steps[step].commands;
        commands.erase(commands.begin() + static_cast<ptrdiff_t>(at));
        any = keep_if_fails(std::move(candidate)) || any;
      }
    }
    return any;
  }

  // Only of what may be anything: elsewhere the number of PONGs could become another.
  bool drop_bytes() {
    bool any = false;
    if (best_.steps.empty() || !best_.steps.back().wild) return false;
    for (size_t command = 0; command < best_.steps.back().commands.size(); command++) {
      for (size_t size : {64, 16, 4, 1}) {
        for (size_t at = 0; at < best_.steps.back().commands[command].bytes.size();) {
          Session candidate = best_;
          candidate.steps.back().commands[command].bytes.erase(at, size);
          if (keep_if_fails(std::move(candidate))) {
            any = true;
          } else {
            at += size;
          }
        }
      }
    }
    return any;
  }

  Session best_;
  const std::function<bool(const Session&)>& fails_;
  size_t tries_ = 0;
  const Clock::time_point end_ = Clock::now() + time_max;
};

// A token that the wire tests give a new name each time.
std::string with_foo(std::string text, const std::string& word) {
  for (size_t at = 0; !word.empty() && (at = text.find(word, at)) != text.npos;) {
    text.replace(at, word.size(), "foo");
  }
  return text;
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char letter : bytes) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '\\') {
      text += "\\\\";
    } else if (letter == '\r') {
      text += "\\r";
    } else if (letter == '\n') {
      text += "\\n";
    } else if (letter == '\t') {
      text += "\\t";
    } else if (byte < ' ' || byte > '~') {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += letter;
    }
  }
  return text;
}

void add_lines(std::string& text, const std::string& before, std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find("\r\n");
    if (end == bytes.npos) {
      text += fmt::format("{}{}\\\n", before, escaped(bytes));
      return;
    }
    text += fmt::format("{}{}\n", before, escaped(bytes.substr(0, end)));
    bytes.remove_prefix(end + 2);
  }
}

std::string answers(const std::vector<Reply>& replies, const std::string& before, char client,
                    const std::string& word) {
  std::string text;
  for (const Reply& reply : replies) {
    if (reply.line == "EOF") {
      text += fmt::format("{}{} EOF\n", before, client);
      continue;
    }
    std::string bytes = reply.line + "\r\n";
    if (reply.line.starts_with("MSG ") || reply.line.starts_with("HMSG ")) {
      bytes += reply.message + "\r\n";
    }
    add_lines(text, fmt::format("{}{}< ", before, client), with_foo(bytes, word));
  }
  return text;
}

}  // namespace

Session shrink(Session session, const std::function<bool(const Session&)>& fails) {
  return Shrinker(std::move(session), fails).run();
}

std::string wire_case(const Session& session, const std::string& one_name, const Transcript& one,
                      const std::string& other_name, const Transcript& other) {
  std::string text = fmt::format("case seed {}\n", session.seed);
  std::vector<bool> joined(session.clients);
  for (size_t step = 0; step <= session.steps.size(); step++) {
    if (step < session.steps.size()) {
      const Step& said = session.steps[step];
      const char client = static_cast<char>('A' + said.client);
      if (!joined[said.client]) text += fmt::format("{} open bare\n", client);
      joined[said.client] = true;
      std::string bytes;
      for (const Command& command : said.commands) bytes += command.bytes;
      add_lines(text, fmt::format("{}> ", client), with_foo(bytes + "PING\r\n", session.word));
      if (said.wild) text += fmt::format("{} shut\n", client);
    }
    for (size_t client = 0; client < session.clients; client++) {
      if (step >= one.steps.size() || step >= other.steps.size()) continue;
      const char name = static_cast<char>('A' + client);
      const std::string left = answers(one.steps[step][client], "", name, session.word);
      const std::string right = answers(other.steps[step][client], "", name, session.word);
      if (left == right) {
        text += left;
      } else {
        text += answers(one.steps[step][client], "[" + one_name + "] ", name, session.word);
        text += answers(other.steps[step][client], "[" + other_name + "] ", name, session.word);
      }
    }
  }
  if (!one.trouble.empty()) text += fmt::format("# {}: {}\n", one_name, one.trouble);
  if (!other.trouble.empty()) text += fmt::format("# {}: {}\n", other_name, other.trouble);
  return text;
}

}  // namespace peal::differential
