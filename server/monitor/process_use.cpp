#include "server/monitor/process_use.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/clock.hpp"

namespace peal::server::monitor {

using core::second_ns;

uint64_t ProcessUse::resident_bytes() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   std::fclose);
  unsigned long long pages = 0;
  if (file == nullptr || std::fscanf(file.get(), "%*u %llu", &pages) != 1) return 0;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

unsigned ProcessUse::cores() {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<unsigned>(online) : 1;
}

double ProcessUse::cpu_seconds() {
  return static_cast<double>(core::clock_ns(CLOCK_PROCESS_CPUTIME_ID)) / second_ns;
}

uint64_t ProcessUse::open_descriptors() {
  std::error_code error;
  uint64_t count = 0;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    count++;
  }
  return count > 0 ? count - 1 : 0;  // One was for counting.
}

uint64_t ProcessUse::descriptors_max() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

double ProcessUse::cpu_percent() {
  const int64_t now_ns = core::monotonic_ns();
  const double seconds = cpu_seconds();
  if (now_ns - asked_ns_ < second_ns / 2) return percent_;
  if (asked_ns_ != 0) {
    const double passed = static_cast<double>(now_ns - asked_ns_) / second_ns;
    percent_ = std::round((seconds - asked_seconds_) / passed * 1000) / 10;
  }
  asked_ns_ = now_ns;
  asked_seconds_ = seconds;
  return percent_;
}

}  // namespace peal::server::monitor
