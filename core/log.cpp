#include "core/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <system_error>
#include <thread>

namespace peal::core {

namespace {

/// A line as it waits. The stamp is taken where the line was logged, and turned into a date by the
/// writer: a date costs more than all the rest.
struct Line {
  timespec time;
  Level level;
  uint16_t text_bytes;
  char text[Log::text_bytes_max];
};

std::string_view tag(Level level) {
  switch (level) {
    case Level::info:
      return "[INF] ";
    case Level::warning:
      return "[WRN] ";
    case Level::error:
      return "[ERR] ";
    case Level::fatal:
      return "[FTL] ";
    case Level::debug:
      return "[DBG] ";
    case Level::trace:
      return "[TRC] ";
  }
  __builtin_unreachable();
}

int open_for_append(const std::string& file) {
  return ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

// The queue and the thread at its end.
//
// Each place of the ring has a turn: the number of the line that may be written there, doubled,
// plus one once that line stands. A producer takes the next number, if the place that belongs to it
// is free; nobody waits for anybody. Turns and the sleep flag are sequentially consistent, because
// the writer, before it sleeps, sets the flag and then looks at a turn, and a producer the other
// way round.
class Log::Writer {
 public:
  Writer(int descriptor, const LogConfig& config)
      : config_(config),
        prefix_(fmt::format("[{}] ", ::getpid())),
        turns_(std::make_unique<std::atomic<uint64_t>[]>(lines_max)),
        lines_(std::make_unique_for_overwrite<Line[]>(lines_max)),
        descriptor_(descriptor) {
    for (uint64_t place = 0; place < lines_max; place++) turns_[place] = free_for(place);
    thread_ = std::thread([this] { run(); });
  }

  ~Writer() {
    stop();
    if (!config_.file.empty()) ::close(descriptor_);
  }

  void put(Level level, std::string_view text) {
    const bool chatter = level == Level::debug || level == Level::trace;
    const int64_t depth_max = chatter ? lines_max / 4 * 3 : lines_max;
    uint64_t number = taken_.load(std::memory_order_relaxed);
    for (;;) {
      // Signed: what has been written may be ahead of a number that another producer took from us.
      const uint64_t depth = number - written_.load(std::memory_order_relaxed);
      if (static_cast<int64_t>(depth) >= depth_max) return lose();
      const uint64_t turn = turn_of(number).load(std::memory_order_acquire);
      if (turn < free_for(number)) return lose();
      if (turn > free_for(number)) {
        number = taken_.load(std::memory_order_relaxed);
      } else if (taken_.compare_exchange_weak(number, number + 1, std::memory_order_relaxed)) {
        break;
      }
    }
    Line& line = lines_[number % lines_max];
    ::clock_gettime(CLOCK_REALTIME, &line.time);
    line.level = level;
    line.text_bytes = static_cast<uint16_t>(text.size());
    std::memcpy(line.text, text.data(), text.size());
    turn_of(number).store(filled_for(number));
    wake();
  }

  void reopen() {
    reopen_wanted_.store(true);
    wake();
  }

  void flush() {
    const uint64_t goal = taken_.load();
    for (uint64_t done = written_.load(); done < goal; done = written_.load()) written_.wait(done);
  }

  void stop() {
    stop_wanted_.store(true);
    wake();
    if (thread_.joinable()) thread_.join();
  }

  uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  static uint64_t free_for(uint64_t number) { return number * 2; }
  static uint64_t filled_for(uint64_t number) { return number * 2 + 1; }
  std::atomic<uint64_t>& turn_of(uint64_t number) { return turns_[number % lines_max]; }

  void lose() { lost_.fetch_add(1, std::memory_order_relaxed); }

  void wake() {
    if (asleep_.load() != 0 && asleep_.exchange(0) != 0) asleep_.notify_one();
  }

  bool line_waits() { return turn_of(next_).load() == filled_for(next_); }

  void run() {
    // Signals are the main thread's affair, and a reader who went away is an errno like any other.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    // Flags are read before the queue that they came after, and the queue's lines before the flags
    // that they came after: no line logged before the end is lost, none after reopen() goes astray.
    for (;;) {
      const bool stopping = stop_wanted_.load();
      const bool waiting = line_waits();
      if (reopen_wanted_.exchange(false)) reopen_file();
      if (waiting) {
        write_batch();
      } else if (stopping) {
        break;
      } else {
        sleep();
      }
    }
    report_lost();
    write_out();
    written_.store(UINT64_MAX);  // Nobody needs to wait for a line any more.
    written_.notify_all();
  }

  void sleep() {
    asleep_.store(1);
    if (line_waits() || stop_wanted_.load() || reopen_wanted_.load()) {
      asleep_.store(0);
    } else {
      asleep_.wait(1);
    }
  }

  // Several lines go out in one write; their places are free again before it, and count as written
  // only after it.
  void write_batch() {
    constexpr size_t batch_bytes = 64 * 1024;  // Enough that one system call serves many lines.
    report_lost();
    const uint64_t lines_before = next_;
    while (out_.size() < batch_bytes && line_waits() && !reopen_wanted_.load()) {
      const Line& line = lines_[next_ % lines_max];
      append(line.time, line.level, {line.text, line.text_bytes});
      turn_of(next_).store(free_for(next_ + lines_max));
      next_++;
    }
    if (!write_out()) lost_.fetch_add(next_ - lines_before, std::memory_order_relaxed);
    written_.store(next_);
    written_.notify_all();
  }

  // Lines that find no room are worth one line themselves, as soon as there is room again.
  void report_lost() {
    const uint64_t lost_now = lost();
    if (lost_now == lost_reported_) return;
    own_line(Level::warning,
             fmt::format("log lines lost: {}, in all: {}", lost_now - lost_reported_, lost_now));
    lost_reported_ = lost_now;
  }

  void own_line(Level level, std::string_view text) {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    append(now, level, text);
  }

  void append(const timespec& time, Level level, std::string_view text) {
    out_.append(prefix_);
    if (config_.time) append_time(time);
    out_.append(tag(level));
    // Names and subjects come from clients: none may forge a line, or speak to a terminal.
    for (const char letter : text) {
      const auto byte = static_cast<unsigned char>(letter);
      if (byte >= 0x20 && byte != 0x7f) {
        out_.push_back(letter);
      } else {
        fmt::format_to(std::back_inserter(out_), "\\x{:02x}", byte);
      }
    }
    out_.push_back('\n');
  }

  void append_time(const timespec& time) {
    if (time.tv_sec != date_second_ || date_.empty()) {
      date_second_ = time.tv_sec;
      std::tm parts{};
      if (config_.utc) {
        ::gmtime_r(&time.tv_sec, &parts);
      } else {
        ::localtime_r(&time.tv_sec, &parts);
      }
      date_ =
          fmt::format("{:04}/{:02}/{:02} {:02}:{:02}:{:02}.", parts.tm_year + 1900,
                      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    }
    out_.append(date_);
    fmt::format_to(std::back_inserter(out_), "{:06} ", time.tv_nsec / 1000);
  }

  bool write_out() {
    std::string_view rest = out_;
    bool writable = true;
    while (!rest.empty() && writable) {
      const ssize_t bytes = ::write(descriptor_, rest.data(), rest.size());
      if (bytes >= 0) {
        rest.remove_prefix(static_cast<size_t>(bytes));
      } else if (errno != EINTR) {
        writable = errno == EAGAIN && wait_for_room();  // Else disk full, pipe closed: lost.
      }
    }
    out_.clear();
    return writable;
  }

  // A terminal or pipe that another process has made non-blocking.
  bool wait_for_room() const {
    constexpr int patience_ms = 1000;  // Then the lines are lost: stopping must come to an end.
    pollfd room{descriptor_, POLLOUT, 0};
    return ::poll(&room, 1, patience_ms) > 0;
  }

  void reopen_file() {
    if (config_.file.empty()) return;
    const int fresh = open_for_append(config_.file);
    if (fresh < 0) {
      own_line(Level::error, fmt::format("log file stays as it was: {}", reason(errno)));
    } else {
      ::close(descriptor_);
      descriptor_ = fresh;
      own_line(Level::info, "log file opened anew");
    }
    write_out();
  }

  const LogConfig config_;
  const std::string prefix_;

  std::unique_ptr<std::atomic<uint64_t>[]> turns_;
  std::unique_ptr<Line[]> lines_;  // Not touched before use, so that a quiet log costs no memory.
  std::atomic<uint64_t> taken_{0};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> lost_{0};
  std::atomic<uint32_t> asleep_{0};
  std::atomic<bool> reopen_wanted_{false};
  std::atomic<bool> stop_wanted_{false};

  // The writer's own.
  int descriptor_;
  uint64_t next_ = 0;
  uint64_t lost_reported_ = 0;
  std::string out_;
  time_t date_second_ = 0;
  std::string date_;

  std::thread thread_;
};

std::variant<std::unique_ptr<Log>, std::string> Log::open(const LogConfig& config) {
  int descriptor = STDERR_FILENO;
  if (!config.file.empty()) {
    descriptor = open_for_append(config.file);
    if (descriptor < 0) return fmt::format("log file {}: {}", config.file, reason(errno));
  }
  auto writer = std::make_unique<Writer>(descriptor, config);
  return std::unique_ptr<Log>(new Log(std::move(writer), config));
}

Log::Log(std::unique_ptr<Writer> writer, const LogConfig& config)
    : enabled_(0), writer_(std::move(writer)) {
  enable(config.debug, config.trace);
}

Log::~Log() = default;

void Log::enable(bool debug, bool trace) {
  uint32_t levels = bit(Level::info) | bit(Level::warning) | bit(Level::error) | bit(Level::fatal);
  if (debug) levels |= bit(Level::debug);
  if (trace) levels |= bit(Level::trace);
  enabled_.store(levels, std::memory_order_relaxed);
}

void Log::write_formatted(Level level, fmt::string_view format, fmt::format_args args) {
  char text[text_bytes_max];
  const auto result = fmt::vformat_to_n(text, text_bytes_max, format, args);
  size_t text_bytes = result.size;
  if (text_bytes > text_bytes_max) {
    text_bytes = text_bytes_max;
    std::memcpy(text + text_bytes_max - 3, "...", 3);
  }
  writer_->put(level, {text, text_bytes});
}

void Log::reopen() { writer_->reopen(); }
void Log::flush() { writer_->flush(); }
void Log::flush_and_stop() { writer_->stop(); }
uint64_t Log::lines_lost() const { return writer_->lost(); }

}  // namespace peal::core
