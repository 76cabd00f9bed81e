#pragma once
// Runs as one page with plots, which needs nothing but itself. The page holds each run as the JSON
// that --json writes, so that another run can be added to it later. It knows pages and their
// scripts; figures it must never compute.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace peal::bench {

/// The runs of a page, or of a JSON file. The error is one sentence.
std::variant<std::vector<std::string>, std::string> runs_in(std::string_view text);

/// Puts a run behind the others, in place of one that has its name.
void add_run(std::vector<std::string>& runs, const std::string& json);

std::string page_of(const std::vector<std::string>& runs);

}  // namespace peal::bench
