// Plays generated sessions on several servers and compares what they say.
//
//   peal-differential config KIND SEED
//   peal-differential play KIND SEED --first N --sessions N [--reference] [--stop-after-s N]
//     NAME=PORT[,cut]...
//
// Every server is compared with the first. With --reference that is nats-server, and the rows of
// docs/protocol.md hold. A session that fails is played again, alone; if it fails again it is made
// smaller and printed as a wire case. The last line counts.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/differential/generator.hpp"
#include "tests/differential/player.hpp"
#include "tests/differential/setting.hpp"
#include "tests/differential/shrink.hpp"
#include "tests/differential/transcript.hpp"

namespace peal::differential {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t failures_shown_max = 6;
constexpr size_t suspects_max = 200;
constexpr int times_again = 3;

/// One session on all servers.
struct Trial {
  Session session;
  size_t account = 0;
  std::vector<std::unique_ptr<Play>> plays;
  size_t playing = 0;
};

struct Suspect {
  Session session;
  size_t account;
  std::string written;  // How it was when it failed.
};

struct Plan {
  Setting setting;
  uint64_t first = 1;
  uint64_t sessions = 1000;
  bool reference = false;
  int stop_after_s = 600;
  std::vector<ServerAddress> servers;
};

class Run {
 public:
  explicit Run(const Plan& plan) : plan_(plan), trials_(accounts_at_once) {}

  int run() {
    const auto end = Clock::now() + std::chrono::seconds(plan_.stop_after_s);
    const auto more = [&] {
      return played_ < plan_.sessions && Clock::now() < end && suspects_.size() < suspects_max;
    };
    for (size_t account = 0; account < accounts_at_once && more(); account++) start(account);
    while (playing_ > 0) {
      player_.turn([&](Play& play) {
        Trial& trial = *of_.at(&play);
        if (--trial.playing > 0) return;
        finish(trial);
        if (more()) start(trial.account);
      });
    }
    return report();
  }

 private:
  std::unique_ptr<Trial> begin(Session session, size_t account) {
    auto trial = std::make_unique<Trial>();
    trial->session = std::move(session);
    trial->account = account;
    for (const ServerAddress& server : plan_.servers) {
      trial->plays.push_back(std::make_unique<Play>(player_, trial->session, server, account));
    }
    trial->playing = trial->plays.size();
    for (const auto& play : trial->plays) {
      of_[play.get()] = trial.get();
      player_.start(*play);
    }
    playing_++;
    return trial;
  }

  void start(size_t account) {
    const uint64_t seed = plan_.first + played_++;
    trials_[account] = begin(generate(seed, plan_.setting, plan_.reference), account);
  }

  void finish(Trial& trial) {
    playing_--;
    for (const auto& play : trial.plays) {
      of_.erase(play.get());
      if (!play->transcript().trouble.empty()) troubles_++;
    }
    const Verdict verdict = verdict_of(trial);
    if (verdict.same) return;
    if (!verdict.rule.empty()) {
      explained_[std::string(verdict.rule)]++;
      return;
    }
    suspects_.push_back({trial.session, trial.account, written(trial)});
  }

  // Of the first server that says something else.
  Verdict verdict_of(const Trial& trial) {
    Verdict found;
    for (size_t i = 1; i < trial.plays.size(); i++) {
      Verdict verdict = compare(trial.session, trial.plays[0]->transcript(),
                                trial.plays[i]->transcript(), plan_.reference);
      if (verdict.same) continue;
      if (verdict.rule.empty() && plan_.reference) {
        verdict.rule = rule_for_permissions(trial.session, trial.plays[0]->transcript(),
                                            trial.plays[i]->transcript(), lists_of(trial.account));
      }
      if (verdict.rule.empty()) return verdict;
      found = verdict;
    }
    return found;
  }

  std::span<const SubscribeLists> lists_of(size_t account) const {
    return std::span(lists_).subspan(account * users_per_account, users_per_account);
  }

  std::unique_ptr<Trial> play_alone(const Session& session, size_t account) {
    auto trial = begin(session, account);
    while (trial->playing > 0) {
      player_.turn([&](Play&) { trial->playing--; });
    }
    playing_--;
    for (const auto& play : trial->plays) of_.erase(play.get());
    return trial;
  }

  bool fails(const Session& session, size_t account) {
    for (int i = 0; i < times_again; i++) {
      const Verdict verdict = verdict_of(*play_alone(session, account));
      if (verdict.same || !verdict.rule.empty()) return false;
    }
    return true;
  }

  // As a wire case, of the first two servers that differ.
  std::string written(const Trial& trial) const {
    size_t other = 1;
    while (other + 1 < trial.plays.size() && compare(trial.session, trial.plays[0]->transcript(),
                                                     trial.plays[other]->transcript(), false)
                                                 .same) {
      other++;
    }
    return wire_case(trial.session, plan_.servers[0].name, trial.plays[0]->transcript(),
                     plan_.servers[other].name, trial.plays[other]->transcript());
  }

  void show(const Session& session, size_t account) {
    const auto still = [&](const Session& candidate) { return fails(candidate, account); };
    const Session small = shrink(session, still);
    fmt::print("FAILED seed {}:\n{}\n", session.seed, written(*play_alone(small, account)));
    std::fflush(stdout);
  }

  int report() {
    size_t failed = 0, unsteady = 0;
    for (const auto& [session, account, first] : suspects_) {
      if (failed >= failures_shown_max) {
        fmt::print("and perhaps seed {}\n", session.seed);
        continue;
      }
      if (!fails(session, account)) {
        if (unsteady++ < failures_shown_max) {
          fmt::print("seed {} differed once, and not again:\n{}\n", session.seed, first);
        }
        continue;
      }
      failed++;
      show(session, account);
    }
    for (const auto& [rule, count] : explained_) {
      fmt::print("explained {:6}  {}\n", count, rule);
    }
    fmt::print("{} sessions, {} failed, {} unsteady, {} without an answer\n", played_, failed,
               unsteady, troubles_);
    return failed > 0 || troubles_ > 0 ? 1 : 0;
  }

  const Plan& plan_;
  const std::vector<SubscribeLists> lists_ = subscribe_lists(plan_.setting);
  Player player_;
  std::vector<std::unique_ptr<Trial>> trials_;  // By account.
  std::map<const Play*, Trial*> of_;
  size_t playing_ = 0;
  uint64_t played_ = 0;
  size_t troubles_ = 0;
  std::map<std::string, size_t> explained_;
  std::vector<Suspect> suspects_;
};

[[noreturn]] void usage() {
  fmt::print(stderr,
             "use: peal-differential config KIND SEED | play KIND SEED --first N --sessions N "
             "[--reference] [--stop-after-s N] NAME=PORT[,cut]...\n");
  std::exit(2);
}

uint64_t number(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

ServerAddress read_server(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == text.npos) usage();
  const size_t comma = text.find(',', equals);
  return {std::string(text.substr(0, equals)),
          static_cast<uint16_t>(number(text.substr(equals + 1, comma - equals - 1))),
          comma != text.npos};
}

Plan read_plan(const std::vector<std::string_view>& arguments) {
  Plan plan;
  if (arguments.size() < 3) usage();
  const auto kind = kind_of(arguments[1]);
  if (!kind) usage();
  plan.setting = {*kind, number(arguments[2])};
  for (size_t i = 3; i < arguments.size(); i++) {
    const bool more = i + 1 < arguments.size();
    if (arguments[i] == "--reference") {
      plan.reference = true;
    } else if (arguments[i] == "--first" && more) {
      plan.first = number(arguments[++i]);
    } else if (arguments[i] == "--sessions" && more) {
      plan.sessions = number(arguments[++i]);
    } else if (arguments[i] == "--stop-after-s" && more) {
      plan.stop_after_s = static_cast<int>(number(arguments[++i]));
    } else {
      plan.servers.push_back(read_server(arguments[i]));
    }
  }
  return plan;
}

}  // namespace
}  // namespace peal::differential

int main(int argc, char** argv) {
  using namespace peal::differential;
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.empty()) usage();
  const Plan plan = read_plan(arguments);
  if (arguments[0] == "config") {
    fmt::print("{}", config_text(plan.setting));
    return 0;
  }
  if (arguments[0] != "play" || plan.servers.size() < 2) usage();
  return Run(plan).run();
}
