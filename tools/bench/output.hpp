#pragma once
// Where results go: files and standard output. It knows paths; what is in them it must never know.

#include <optional>
#include <string>

#include "tools/bench/options.hpp"
#include "tools/bench/result.hpp"

namespace peal::bench {

/// Whether the files that were asked for can be written, as far as can be told without touching
/// them: better before a run than after it. The error is one sentence.
std::optional<std::string> check_outputs(const Options& options);

/// The table, and the files that were asked for. The error is one sentence; what it is not about is
/// written.
std::optional<std::string> put_out(const Options& options, const Result& result);

/// The report subcommand.
std::optional<std::string> put_out_report(const Options& options);

}  // namespace peal::bench
