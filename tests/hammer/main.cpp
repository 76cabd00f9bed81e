// The hammer: scenarios that look for messages lost, doubled or out of order when many connections
// on many cores do things at once. Prints a line for each; the status says whether all held.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>

#include "scenario.hpp"

namespace hammer {

std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

namespace {

constexpr Scenario scenarios[] = {
    {"sub_flush_pub", 60, sub_flush_pub},
    {"flush_flush_count", 60, flush_flush_count},
    {"causality", 60, causality},
    {"auto_unsub_exact", 60, auto_unsub_exact},
    {"order", 60, order},
    {"queue_churn", 60, queue_churn},
    {"queue_fair", 60, queue_fair},
    {"fan_in", 60, fan_in},
    {"tiny_storm", 60, tiny_storm},
    {"slow_honest", 60, slow_honest},
    {"pausing_honest", 60, pausing_honest},
    {"stuck_one", 60, stuck_one},
    {"close_storm", 60, close_storm},
    {"no_responders", 60, no_responders},
};

[[noreturn]] void usage() {
  fprintf(stderr,
          "usage: hammer --port P [--seed S] [--scale X] [--pid SERVER] [--secs S] [--sockets N]\n"
          "              [--write-deadline-ms N] [--mixed] [scenario...]\n"
          "scenarios:");
  for (const Scenario& scenario : scenarios) fprintf(stderr, " %s", scenario.name);
  fprintf(stderr, "\n");
  exit(2);
}

bool run_one(const Scenario& scenario, Scene& scene) {
  scene.begin(scenario.time_max_s * std::max(1.0, scene.scale) + scene.secs);
  const Stopwatch watch;
  std::string verdict = "ok    ", figures;
  try {
    figures = scenario.run(scene);
  } catch (const Failure& failure) {
    verdict = "FAILED";
    const std::lock_guard lock(scene.mutex);
    figures = scene.first_failure.empty() ? failure.text : scene.first_failure;
  }
  printf("%s %-18s %s, %.1f s, seed %llu\n", verdict.c_str(), scenario.name, figures.c_str(),
         watch.seconds(), static_cast<unsigned long long>(scene.seed));
  fflush(stdout);
  return verdict == "ok    ";
}

const Scenario* find(const char* name) {
  for (const Scenario& scenario : scenarios) {
    if (strcmp(scenario.name, name) == 0) return &scenario;
  }
  return nullptr;
}

}  // namespace
}  // namespace hammer

int main(int count, char** words) {
  using namespace hammer;
  Scene scene;
  scene.seed = std::random_device{}();
  std::vector<const Scenario*> chosen;
  for (int at = 1; at < count; at++) {
    const std::string word = words[at];
    if (const Scenario* scenario = find(words[at])) {
      chosen.push_back(scenario);
      continue;
    }
    if (word == "--mixed") {
      scene.mixed = true;
      continue;
    }
    if (at + 1 == count) usage();
    const char* value = words[++at];
    if (word == "--port")
      scene.port = uint16_t(atoi(value));
    else if (word == "--seed")
      scene.seed = strtoull(value, nullptr, 10);
    else if (word == "--scale")
      scene.scale = atof(value);
    else if (word == "--pid")
      scene.server_pid = atoi(value);
    else if (word == "--secs")
      scene.secs = atof(value);
    else if (word == "--sockets")
      scene.sockets = atoi(value);
    else if (word == "--write-deadline-ms")
      scene.write_deadline_ms = atoi(value);
    else
      usage();
  }
  if (scene.port == 0) usage();
  if (chosen.empty()) {
    for (const Scenario& scenario : scenarios) chosen.push_back(&scenario);
  }

  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  int failures = 0;
  for (const Scenario* scenario : chosen) failures += !run_one(*scenario, scene);
  return failures == 0 ? 0 : 1;
}
