#include "server/process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/error_text.hpp"
#include "server/reload_preview.hpp"

namespace peal::server {

namespace {

template <typename Item>
std::string joined(const std::vector<Item>& items, std::string_view separator) {
  std::string text;
  for (const Item& item : items) text += fmt::format("{}{}", text.empty() ? "" : separator, item);
  return text;
}

/// The signal by which our own threads speak to the main thread; no operator sends it.
int own_signal() { return SIGRTMIN; }

sigset_t awaited_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, own_signal()}) {
    ::sigaddset(&set, signal);
  }
  return set;
}

std::optional<pid_t> process_id(std::string_view text) {
  pid_t id = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || stop != text.data() + text.size() || id <= 0) return {};
  return id;
}

/// Other processes of this program, whose id begins with `prefix`.
std::vector<pid_t> our_like(std::string_view prefix) {
  // The kernel keeps fifteen letters of a name.
  const std::string name = std::string(program_invocation_short_name).substr(0, 15);
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string folder = entry.path().filename();
    const auto id = process_id(folder);
    if (!id || *id == ::getpid() || !folder.starts_with(prefix)) continue;
    std::string command;
    std::ifstream stream(entry.path() / "comm");
    if (std::getline(stream, command) && command == name) found.push_back(*id);
  }
  std::sort(found.begin(), found.end());
  return found;
}

int signal_number(std::string_view name) {
  static constexpr std::pair<std::string_view, int> numbers[] = {
      {"stop", SIGKILL}, {"quit", SIGINT},    {"term", SIGTERM},
      {"ldm", SIGUSR2},  {"reopen", SIGUSR1}, {"reload", SIGHUP},
  };
  const auto* const entry =
      std::ranges::find(numbers, name, [](const auto& pair) { return pair.first; });
  assert(entry != std::end(numbers));  // The command line has refused other names.
  return entry->second;
}

std::string url(std::string_view scheme, std::string_view host, uint16_t port) {
  const bool bracketed = host.find(':') != host.npos;
  return bracketed ? fmt::format("{}://[{}]:{}", scheme, host, port)
                   : fmt::format("{}://{}:{}", scheme, host, port);
}

Wish wish_of(int signal, bool preview) {
  switch (signal) {
    case SIGHUP:
      return preview ? Wish::preview_reload : Wish::reload;
    case SIGUSR1:
      return Wish::reopen_log;
    case SIGUSR2:
      return Wish::lame_duck;
    case SIGINT:
      return Wish::stop;
    case SIGTERM:
      return Wish::terminate;
    default:
      return Wish::server_stopped;
  }
}

// What somebody has put there for us, be it a link, a device or a file in a folder that is not
// ours, stays what it is, and stays.
std::variant<core::OwnFile, std::string> write_in_place(const std::string& path,
                                                        const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (file >= 0) written = ::close(file) == 0 && written;
  if (!written) return fmt::format("{}: {}", path, core::error_text(error));
  return core::OwnFile();
}

}  // namespace

void block_signals() {
  const sigset_t set = awaited_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // A peer that went away is an errno.
  ::signal(SIGXFSZ, SIG_IGN);  // So is a file that may not grow.
}

void hold_standard_descriptors() {
  int opened = 0;
  do {
    opened = ::open("/dev/null", O_RDWR);
  } while (opened >= 0 && opened < STDERR_FILENO);
  if (opened > STDERR_FILENO) ::close(opened);
}

WishFrom await_wish(std::chrono::nanoseconds patience) {
  const sigset_t set = awaited_signals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timespec time{static_cast<time_t>(seconds.count()), (patience - seconds).count()};
  for (;;) {
    siginfo_t info{};
    if (::sigtimedwait(&set, &info, patience.count() == 0 ? nullptr : &time) < 0) {
      if (errno == EAGAIN) return {Wish::nothing, 0};
      continue;
    }
    const bool preview = info.si_code == SI_QUEUE && info.si_value.sival_int == preview_mark;
    return {wish_of(info.si_signo, preview), info.si_pid};
  }
}

void announce_server_stopped() { ::kill(::getpid(), own_signal()); }

std::variant<std::vector<pid_t>, std::string> signal_targets(const std::string& target) {
  using Targets = std::vector<pid_t>;
  if (const auto id = process_id(target)) return Targets{*id};
  if (target.empty() || target.ends_with('*')) {
    Targets found = our_like(target.substr(0, target.find('*')));
    if (found.empty()) return fmt::format("no {} is running", program_invocation_short_name);
    if (target.empty() && found.size() > 1) {
      return fmt::format("more than one {} is running: {}; name one", program_invocation_short_name,
                         joined(found, ", "));
    }
    return found;
  }
  std::ifstream file(target);
  if (!file) return fmt::format("pid file {}: {}", target, core::error_text(errno));
  std::string word;
  file >> word;
  if (const auto id = process_id(word)) return Targets{*id};
  return fmt::format("pid file {}: holds no process id", target);
}

std::optional<std::string> send_signal(std::string_view name, const std::string& target) {
  const auto targets = signal_targets(target);
  if (const auto* error = std::get_if<std::string>(&targets)) return *error;
  for (const pid_t id : std::get<0>(targets)) {
    if (::kill(id, signal_number(name)) != 0) {
      return fmt::format("process {}: {}", id, core::error_text(errno));
    }
  }
  return {};
}

std::variant<core::OwnFile, std::string> write_process_file(const std::string& path,
                                                            const std::string& text, mode_t mode) {
  // Somebody may wait for the file to appear, and would read half of it.
  const std::string draft = fmt::format("{}.{}", path, ::getpid());
  struct stat status {};
  const bool is_there = ::lstat(path.c_str(), &status) == 0;
  if (is_there && !S_ISREG(status.st_mode)) return write_in_place(path, text);
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0 && is_there) return write_in_place(path, text);
  if (file < 0) return fmt::format("{}: {}", path, core::error_text(errno));
  bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  written = ::fstat(file, &status) == 0 && written;
  written = ::close(file) == 0 && written;
  if (!written || std::rename(draft.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(draft.c_str());
    return fmt::format("{}: {}", path, core::error_text(error));
  }
  return core::OwnFile(path, status.st_ino);
}

std::string pid_file_text() { return fmt::format("{}", ::getpid()); }

std::string ports_file_name() {
  return fmt::format("{}_{}.ports", program_invocation_short_name, ::getpid());
}

std::string ports_file_text(const std::vector<std::string>& clients,
                            const std::vector<std::string>& monitoring,
                            const std::vector<std::string>& websocket) {
  std::vector<std::string> parts;
  if (!clients.empty()) {
    parts.push_back(fmt::format(R"("nats":["{}"])", joined(clients, R"(",")")));
  }
  if (!monitoring.empty()) {
    parts.push_back(fmt::format(R"("monitoring":["{}"])", joined(monitoring, R"(",")")));
  }
  if (!websocket.empty()) {
    parts.push_back(fmt::format(R"("websocket":["{}"])", joined(websocket, R"(",")")));
  }
  return fmt::format("{{{}}}", joined(parts, ","));
}

std::vector<std::string> urls_of(std::string_view scheme, const std::string& host, uint16_t port) {
  const bool wildcard = host == "0.0.0.0" || host == "::";
  ifaddrs* interfaces = nullptr;
  if (!wildcard || ::getifaddrs(&interfaces) != 0) return {url(scheme, host, port)};
  std::vector<std::string> urls;
  for (const ifaddrs* at = interfaces; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (at->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
      ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    } else if (at->ifa_addr->sa_family == AF_INET6 && host == "::") {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
      // One that is only valid on its link would need the interface's name to be of use.
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      ::inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    } else {
      continue;
    }
    urls.push_back(url(scheme, text, port));
  }
  ::freeifaddrs(interfaces);
  return urls;
}

}  // namespace peal::server
