#pragma once
// A run as a line of a table for a spreadsheet. It knows the columns; new ones go to the end.

#include <string>

#include "tools/bench/options.hpp"
#include "tools/bench/result.hpp"

namespace peal::bench {

std::string csv_head();
std::string csv_line(const Options& options, const Result& result);

}  // namespace peal::bench
