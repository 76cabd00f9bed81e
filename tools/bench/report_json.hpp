#pragma once
// A run as one JSON object on one line, complete: what every other report could be made from. It
// knows names of fields.

#include <string>

#include "tools/bench/options.hpp"
#include "tools/bench/result.hpp"

namespace peal::bench {

std::string json_of(const Options& options, const Result& result);

}  // namespace peal::bench
