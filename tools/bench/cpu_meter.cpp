#include "tools/bench/cpu_meter.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>

namespace peal::bench {
namespace {

// Threads are looked at so often, so that of less than this there is no telling whose time it was.
constexpr double shortest_s = 0.01;

std::string read_small_file(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return {};
  char bytes[4096];
  const size_t got = std::fread(bytes, 1, sizeof bytes, file);
  std::fclose(file);
  return {bytes, got};
}

}  // namespace

std::optional<ProcessUse> use_of_process(uint32_t pid) {
  const std::string stat = read_small_file(fmt::format("/proc/{}/stat", pid));
  // The name stands in brackets, and may hold anything.
  const size_t name_end = stat.rfind(')');
  if (name_end == stat.npos) return {};
  long long user_ticks = 0, system_ticks = 0, resident_pages = 0;
  const int read = std::sscanf(
      stat.c_str() + name_end + 1,
      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %*d %*d %*d %*d %*d %*d %*u %*u %lld",
      &user_ticks, &system_ticks, &resident_pages);
  if (read != 3) return {};
  return ProcessUse{double(user_ticks + system_ticks) / double(sysconf(_SC_CLK_TCK)),
                    uint64_t(resident_pages) * uint64_t(sysconf(_SC_PAGESIZE))};
}

pid_t this_thread() { return pid_t(syscall(SYS_gettid)); }

ThreadUse use_of_thread(pid_t thread) {
  uint64_t ran_ns = 0, waited_ns = 0;
  const std::string stat = read_small_file(fmt::format("/proc/self/task/{}/schedstat", thread));
  if (std::sscanf(stat.c_str(), "%" SCNu64 " %" SCNu64, &ran_ns, &waited_ns) != 2) return {};
  return {double(ran_ns) * 1e-9, double(waited_ns) * 1e-9};
}

void GeneratorUse::add(const ThreadUse& from, const ThreadUse& to, double wall_s) {
  // One that has ended, unlike the run, has no times any more.
  const double used_s = std::max(0.0, to.cpu_s - from.cpu_s);
  cpu_s += used_s;
  wall_s = std::max(wall_s, shortest_s);
  busiest = std::max(busiest, used_s / wall_s);
  starved = std::max(starved, (to.waited_s - from.waited_s) / wall_s);
}

}  // namespace peal::bench
