#pragma once
// A run as a table that people read. It knows figures and how they look.

#include <string>

#include "tools/bench/options.hpp"
#include "tools/bench/result.hpp"

namespace peal::bench {

std::string table_of(const Options& options, const Result& result);

/// What the figures cannot say by themselves, a sentence each: foremost, that the generator was the
/// limit.
std::vector<std::string> notes_of(const Result& result);

}  // namespace peal::bench
