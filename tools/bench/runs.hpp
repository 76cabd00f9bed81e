#pragma once
// Every subcommand that measures, each in a file of its name. They know how to set one up; what is
// shown of it is the reports' business.

#include "tools/bench/options.hpp"
#include "tools/bench/result.hpp"
#include "tools/bench/run_control.hpp"

namespace peal::bench {

Result run_pub(const Options& options, RunControl& control);
Result run_sub(const Options& options, RunControl& control);
Result run_pubsub(const Options& options, RunControl& control);
Result run_latency(const Options& options, RunControl& control);
Result run_soak(const Options& options, RunControl& control);
Result run_requests(const Options& options, RunControl& control);  // request, service, reqreply
Result run_connections(const Options& options, RunControl& control);

}  // namespace peal::bench
