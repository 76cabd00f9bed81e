#include "core/log.hpp"

#include <pthread.h>

#include <csignal>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>
#include <tuple>

#include "core/crash_report.hpp"
#include "core/log_sink.hpp"
#include "core/thread.hpp"

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

OpenedSink open_sink(const LogConfig& config) {
  if (!config.file.empty()) {
    return open_file_sink(config.file, config.file_bytes_max, config.files_max);
  }
  if (config.syslog || !config.remote_syslog.empty()) {
    return open_syslog_sink(config.remote_syslog);
  }
  return open_stderr_sink();
}

bool same_sink(const LogConfig& one, const LogConfig& other) {
  const auto place = [](const LogConfig& of) {
    return std::tie(of.file, of.remote_syslog, of.syslog, of.file_bytes_max, of.files_max);
  };
  return place(one) == place(other);
}

LogFormat format_for(const LogConfig& config) {
  LogFrame frame = LogFrame::plain;
  if (config.file.empty() && config.syslog) frame = LogFrame::syslog_local;
  if (config.file.empty() && !config.remote_syslog.empty()) frame = LogFrame::syslog_remote;
  return LogFormat({.frame = frame,
                    .json = config.json,
                    .time = config.time,
                    .utc = config.utc,
                    .program = program_invocation_short_name});
}

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
  Writer(std::unique_ptr<LogSink> sink, LogFormat format)
      : turns_(std::make_unique<std::atomic<uint64_t>[]>(lines_max)),
        lines_(std::make_unique_for_overwrite<Line[]>(lines_max)),
        sink_(std::move(sink)),
        format_(std::move(format)) {
    for (uint64_t place = 0; place < lines_max; place++) turns_[place] = free_for(place);
  }

  /// Before the first line. False when the system has no thread for it.
  bool start() {
    auto started = start_thread([this] { run(); });
    if (started) thread_ = *std::move(started);
    return started.has_value();
  }

  ~Writer() { stop(); }

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
    change_wanted([this] { reopen_wanted_ = true; });
  }

  /// Without a sink the one in use stays.
  void replace(std::unique_ptr<LogSink> sink, LogFormat format) {
    change_wanted([&] {
      if (sink) {
        next_sink_ = std::move(sink);
        reopen_wanted_ = false;  // It has just been opened.
      }
      next_format_.emplace(std::move(format));
    });
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

  // What is asked for takes effect behind the lines that were logged before.
  template <typename Ask>
  void change_wanted(Ask ask) {
    {
      const std::lock_guard lock(change_mutex_);
      ask();
      change_at_ = taken_.load();
    }
    change_waits_.store(true);
    wake();
  }

  void lose() { lost_.fetch_add(1, std::memory_order_relaxed); }

  void wake() {
    if (asleep_.load() != 0 && asleep_.exchange(0) != 0) asleep_.notify_one();
  }

  bool line_waits() { return turn_of(next_).load() == filled_for(next_); }

  void run() {
    name_thread("peal-log");
    // Signals are the main thread's affair, and a reader who went away is an errno like any other.
    sigset_t all;
    ::sigfillset(&all);
    for (const int fatal : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE}) ::sigdelset(&all, fatal);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    const CrashStack crash_stack;
    // Flags are read before the queue that they came after: no line logged before the end is lost.
    for (;;) {
      const bool stopping = stop_wanted_.load();
      const bool waiting = line_waits();
      if (change_waits_.load()) follow_change();
      if (waiting) {
        // Whoever does not read at the end would be waited for with each batch.
        if (!write_batch() && stopping) break;
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
    if (line_waits() || stop_wanted_.load() || change_waits_.load()) {
      asleep_.store(0);
    } else {
      asleep_.wait(1);
    }
  }

  // Several lines go out in one write; their places are free again before it, and count as written
  // only after it.
  bool write_batch() {
    constexpr size_t batch_bytes = 64 * 1024;  // Enough that one system call serves many lines.
    report_lost();
    const uint64_t lines_before = next_;
    while (out_.size() < batch_bytes && line_waits() && !change_is_due()) {
      const Line& line = lines_[next_ % lines_max];
      format_.append(out_, line.time, line.level, {line.text, line.text_bytes});
      turn_of(next_).store(free_for(next_ + lines_max));
      next_++;
    }
    const bool written = write_out();
    if (!written) lost_.fetch_add(next_ - lines_before, std::memory_order_relaxed);
    const std::string rotated = sink_->rotate_if_due();
    if (!rotated.empty()) {
      own_line(Level::info, rotated);
      write_out();
    }
    written_.store(next_);
    written_.notify_all();
    return written;
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
    format_.append(out_, now, level, text);
  }

  bool write_out() {
    const bool written = out_.empty() || sink_->write(out_);
    out_.clear();
    return written;
  }

  bool change_is_due() {
    if (!change_waits_.load()) return false;
    const std::lock_guard lock(change_mutex_);
    return next_ >= change_at_;
  }

  void follow_change() {
    const std::lock_guard lock(change_mutex_);
    if (next_ < change_at_) return;
    change_waits_.store(false);
    if (next_sink_) sink_ = std::move(next_sink_);
    if (next_format_) format_ = *std::move(next_format_);
    next_format_.reset();
    if (!std::exchange(reopen_wanted_, false)) return;
    const std::string outcome = sink_->reopen();
    if (!outcome.empty()) own_line(Level::info, outcome);
    write_out();
  }

  std::unique_ptr<std::atomic<uint64_t>[]> turns_;
  std::unique_ptr<Line[]> lines_;  // Not touched before use, so that a quiet log costs no memory.
  std::atomic<uint64_t> taken_{0};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> lost_{0};
  std::atomic<uint32_t> asleep_{0};
  std::atomic<bool> change_waits_{false};
  std::atomic<bool> stop_wanted_{false};

  std::mutex change_mutex_;  // Of the next four.
  uint64_t change_at_ = 0;   // Behind the line of this number.
  bool reopen_wanted_ = false;
  std::unique_ptr<LogSink> next_sink_;
  std::optional<LogFormat> next_format_;

  // The writer's own.
  std::unique_ptr<LogSink> sink_;
  LogFormat format_;
  uint64_t next_ = 0;
  uint64_t lost_reported_ = 0;
  std::string out_;

  std::thread thread_;
};

std::variant<std::unique_ptr<Log>, std::string> Log::open(const LogConfig& config) {
  auto opened = open_sink(config);
  if (auto* error = std::get_if<std::string>(&opened)) return std::move(*error);
  auto writer = std::make_unique<Writer>(std::get<0>(std::move(opened)), format_for(config));
  if (!writer->start()) {
    return "no thread left for the log: raise the limit (ulimit -u, or TasksMax= in the unit file)";
  }
  return std::unique_ptr<Log>(new Log(std::move(writer), config));
}

Log::Log(std::unique_ptr<Writer> writer, const LogConfig& config)
    : config_(config), enabled_(levels_of(config)), writer_(std::move(writer)) {}

Log::~Log() = default;

std::optional<std::string> Log::reconfigure(const LogConfig& config) {
  std::unique_ptr<LogSink> sink;
  if (!same_sink(config, config_)) {
    auto opened = open_sink(config);
    if (auto* error = std::get_if<std::string>(&opened)) return std::move(*error);
    sink = std::get<0>(std::move(opened));
  }
  writer_->replace(std::move(sink), format_for(config));
  enabled_.store(levels_of(config), std::memory_order_relaxed);
  config_ = config;
  return {};
}

uint32_t Log::levels_of(const LogConfig& config) {
  uint32_t levels = bit(Level::info) | bit(Level::warning) | bit(Level::error) | bit(Level::fatal);
  if (config.debug) levels |= bit(Level::debug);
  if (config.trace) levels |= bit(Level::trace);
  return levels;
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
