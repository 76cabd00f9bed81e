#pragma once
// A line in the log from time to time: what the server did since the last one, for people who have
// nothing that asks it.

#include <cstdint>

#include "server/monitor/context.hpp"

namespace peal::server::monitor {

class Totals {
 public:
  explicit Totals(Context& context) : context_(context), at_ns_(context.start_ns) {}

  void log_line();

 private:
  Context& context_;
  int64_t at_ns_;
  uint64_t in_messages_ = 0;
  uint64_t in_bytes_ = 0;
  uint64_t out_messages_ = 0;
  uint64_t out_bytes_ = 0;
  int64_t busy_ns_ = 0;
};

}  // namespace peal::server::monitor
