#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <vector>

#include "core/error_text.hpp"
#include "core/log_sink.hpp"

namespace peal::core {

namespace {

namespace fs = std::filesystem;

int open_for_append(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/// A pipe or terminal whose reader has stopped reading must not stop the writer for good.
bool wait_for_room(int descriptor) {
  constexpr int patience_ms = 1000;  // Then the lines are lost: stopping must come to an end.
  pollfd room{descriptor, POLLOUT, 0};
  return ::poll(&room, 1, patience_ms) > 0;
}

bool write_all(int descriptor, std::string_view rest) {
  while (!rest.empty()) {
    if (!wait_for_room(descriptor)) return false;
    // So much never blocks in a pipe that has room.
    const ssize_t bytes = ::write(descriptor, rest.data(), std::min<size_t>(rest.size(), PIPE_BUF));
    if (bytes >= 0) {
      rest.remove_prefix(static_cast<size_t>(bytes));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;  // Disk full, pipe closed.
    }
  }
  return true;
}

class StderrSink : public LogSink {
 public:
  bool write(std::string_view lines) override { return write_all(STDERR_FILENO, lines); }
};

class FileSink : public LogSink {
 public:
  FileSink(std::string path, int descriptor, uint64_t bytes_max, uint32_t files_max)
      : path_(std::move(path)), bytes_max_(bytes_max), files_max_(files_max) {
    adopt(descriptor);
  }
  ~FileSink() override { ::close(descriptor_); }

  bool write(std::string_view lines) override {
    bytes_ += lines.size();
    return write_all(descriptor_, lines);
  }

  std::string reopen() override {
    const int fresh = open_for_append(path_);
    if (fresh < 0) return fmt::format("log file stays as it was: {}", error_text(errno));
    ::close(descriptor_);
    adopt(fresh);
    return "log file opened anew";
  }

  // nats-server's suffix: the local time, to the nanosecond.
  std::string rotate_if_due() override {
    if (bytes_max_ == 0 || bytes_ <= bytes_max_) return {};
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm at{};
    ::localtime_r(&now.tv_sec, &at);
    const std::string backup =
        fmt::format("{}.{:04}.{:02}.{:02}.{:02}.{:02}.{:02}.{:09}", path_, at.tm_year + 1900,
                    at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, now.tv_nsec);
    bytes_ = 0;  // Not again at once if it fails.
    if (std::rename(path_.c_str(), backup.c_str()) != 0) {
      if (errno == ENOENT) return reopen();  // That could not be done the last time.
      return fmt::format("log file cannot be rotated to {}: {}", backup, error_text(errno));
    }
    const int fresh = open_for_append(path_);
    if (fresh < 0) {
      return fmt::format("log goes on in {}: {}: {}", backup, path_, error_text(errno));
    }
    ::close(descriptor_);
    adopt(fresh);
    remove_oldest();
    return fmt::format("Rotated log, backup saved as \"{}\"", backup);
  }

 private:
  void adopt(int descriptor) {
    descriptor_ = descriptor;
    struct stat status {};
    bytes_ = ::fstat(descriptor, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }

  static bool is_suffix(std::string_view text) {
    // .2026.11.21.09.49.02.091039461
    constexpr size_t suffix_bytes = 30;
    return text.size() == suffix_bytes && text.front() == '.' &&
           text.find_first_not_of(".0123456789") == text.npos;
  }

  void remove_oldest() const {
    if (files_max_ == 0) return;
    const fs::path path = path_;
    const std::string name = path.filename();
    const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
    std::vector<std::string> backups;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string other = entry.path().filename();
      if (other.starts_with(name) && is_suffix(std::string_view(other).substr(name.size()))) {
        backups.push_back(other);
      }
    }
    std::ranges::sort(backups);  // The suffix sorts as time does.
    const size_t keep = files_max_ - 1;
    for (size_t i = 0; i + keep < backups.size(); i++) fs::remove(folder / backups[i], error);
  }

  const std::string path_;
  const uint64_t bytes_max_;
  const uint32_t files_max_;
  int descriptor_ = -1;
  uint64_t bytes_ = 0;  // In the file.
};

}  // namespace

std::unique_ptr<LogSink> open_stderr_sink() { return std::make_unique<StderrSink>(); }

OpenedSink open_file_sink(const std::string& path, uint64_t bytes_max, uint32_t files_max) {
  const int descriptor = open_for_append(path);
  if (descriptor < 0) return fmt::format("log file {}: {}", path, error_text(errno));
  return std::make_unique<FileSink>(path, descriptor, bytes_max, files_max);
}

}  // namespace peal::core
