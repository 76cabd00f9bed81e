#include "tools/bench/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tools/bench/clock.hpp"
#include "tools/bench/text.hpp"

namespace peal::bench {
namespace {

constexpr int64_t redraw_ns = 200 * millisecond_ns;
constexpr int bar_width = 30;

}  // namespace

Progress::Progress(const Options& options) : shown_(!options.quiet && ::isatty(STDERR_FILENO)) {}

Progress::~Progress() { clear(); }

void Progress::show(double done, uint64_t count, int64_t now_ns) {
  if (!shown_ || now_ns < last_ns_ + redraw_ns) return;
  const double rate = last_ns_ == 0 || count < last_count_
                          ? 0
                          : double(count - last_count_) / seconds(now_ns - last_ns_);
  last_ns_ = now_ns;
  last_count_ = count;
  std::string bar;
  if (done >= 0) {
    const int filled = int(std::min(done, 1.0) * bar_width);
    bar = fmt::format("[{:<{}}] {:3.0f} %  ", std::string(size_t(filled), '#'), bar_width,
                      100 * std::min(done, 1.0));
  }
  fmt::print(stderr, "\r\x1b[K{}{} msgs  {} msgs/s", bar, grouped(count), grouped(rate));
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
  last_ns_ = 0;
}

}  // namespace peal::bench
