#pragma once
// Where results go: files and standard output. It knows paths; what is in them it must never know.

#include <optional>
#include <string>

#include "tools/bench/options.hpp"
#include "tools/bench/result.hpp"

namespace peal::bench {

/// The table, and the files that were asked for. The error is one sentence.
std::optional<std::string> put_out(const Options& options, const Result& result);

/// The report subcommand.
std::optional<std::string> put_out_report(const Options& options);

}  // namespace peal::bench
