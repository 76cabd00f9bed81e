#include "server/allowance.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace peal::server {

namespace {

constexpr uint64_t unlimited = UINT64_MAX;

/// The folders whose limits bind us: our group's, and those of all groups that it lies in. In a
/// container the path may be one that only the host can see; then the mount's root is ours.
std::vector<std::string> group_folders(const std::string& root, std::string_view controller) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::vector<std::string> folders;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers =
        fmt::format(",{},", std::string_view(line).substr(first + 1, second - first - 1));
    std::string tree;
    if (controllers != ",,") {  // Version 1: a tree for each controller. Two commas: version 2.
      if (controllers.find(fmt::format(",{},", controller)) == controllers.npos) continue;
      tree = fmt::format("/{}", controller);
    }
    std::string path = line.substr(second + 1);
    while (!path.empty()) {
      if (path != "/") folders.push_back(mount + tree + path);
      path.resize(path.rfind('/') == path.npos ? 0 : path.rfind('/'));
    }
    folders.push_back(mount + tree);
  }
  return folders;
}

/// The words of a small file; none if it is not there.
std::vector<std::string> words_of(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// Nothing for "max", -1, and whatever else is no number.
std::optional<uint64_t> number(const std::string& word) {
  uint64_t value = 0;
  std::istringstream stream(word);
  if (word.empty() || word[0] == '-' || !(stream >> value) || !stream.eof()) return {};
  return value;
}

/// Cores that a group's quota comes to, rounded down: a thread too many would be put to sleep in
/// the middle of its work.
uint64_t cores_of_quota(const std::vector<std::string>& quota_and_period) {
  if (quota_and_period.size() != 2) return unlimited;
  const auto quota = number(quota_and_period[0]);
  const auto period = number(quota_and_period[1]);
  if (!quota || !period || *period == 0) return unlimited;
  return std::max<uint64_t>(*quota / *period, 1);
}

uint64_t cores_of_affinity() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<uint64_t>(CPU_COUNT(&set));
  return std::max(std::thread::hardware_concurrency(), 1u);  // More cores than the set has bits.
}

}  // namespace

unsigned cpu_allowance(const std::string& root) {
  uint64_t cores = cores_of_affinity();
  for (const std::string& folder : group_folders(root, "cpu")) {
    cores = std::min(cores, cores_of_quota(words_of(folder + "/cpu.max")));
    std::vector<std::string> version_1 = words_of(folder + "/cpu.cfs_quota_us");
    for (std::string& word : words_of(folder + "/cpu.cfs_period_us")) version_1.push_back(word);
    cores = std::min(cores, cores_of_quota(version_1));
  }
  return static_cast<unsigned>(cores);
}

uint64_t memory_allowance_bytes(const std::string& root) {
  uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const std::string& folder : group_folders(root, "memory")) {
    for (const char* file : {"/memory.max", "/memory.limit_in_bytes"}) {
      const auto words = words_of(folder + file);
      if (words.empty()) continue;
      bytes = std::min(bytes, number(words[0]).value_or(unlimited));
    }
  }
  return bytes;
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

void reserve_descriptors(uint64_t count) {
  const int any = ::eventfd(0, EFD_CLOEXEC);
  if (any < 0) return;
  const int last =
      ::fcntl(any, F_DUPFD_CLOEXEC, static_cast<int>(std::min<uint64_t>(count, INT_MAX)) - 1);
  if (last >= 0) ::close(last);
  ::close(any);
}

uint64_t locked_memory_allowance_bytes() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || ::geteuid() == 0) return UINT64_MAX;
  return limit.rlim_cur;
}

}  // namespace peal::server
