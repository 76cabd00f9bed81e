// /tracez: switches the trace of one connection, or of what goes over one subject, on for a while.
// It is the only thing here that changes something, so it takes more than an address to ask for it.

#include <fmt/format.h>

#include "core/clock.hpp"
#include "protocol/subject.hpp"
#include "server/monitor/endpoints.hpp"

namespace peal::server::monitor {
namespace {

constexpr int64_t seconds_default = 60;
constexpr int64_t seconds_max = 3600;

}  // namespace

Response tracez(Context& context, Query& query) {
  const uint64_t cid = query.identifier("cid");
  const std::string subject(query.text("subject"));
  const int64_t seconds = query.has("seconds") ? query.integer("seconds") : seconds_default;
  if (cid == 0 && subject.empty()) query.fail("name one: cid=NUMBER or subject=SUBJECT");
  if (cid == 0 && !subject.empty() && !protocol::is_valid_filter(subject)) {
    query.fail(fmt::format("'{}' is no subject", subject));
  }
  if (seconds > seconds_max) {
    query.fail(fmt::format("seconds={} is more than {}", seconds, seconds_max));
  }
  if (!query.error().empty()) return {};
  if (!context.collector.trace(cid, subject, seconds * core::second_ns)) return no_answer();
  const std::string what = cid != 0 ? fmt::format("cid {}", cid) : fmt::format("\"{}\"", subject);
  context.log.info("trace: {} for {} s, as monitoring was asked to", what, seconds);
  return {200, plain_type, fmt::format("{} is traced in the log for {} s\n", what, seconds)};
}

}  // namespace peal::server::monitor
