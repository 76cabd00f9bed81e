#include "tools/bench/report_html.hpp"

#include <algorithm>

#include "tools/bench/report_page.hpp"

namespace peal::bench {
namespace {

constexpr std::string_view run_begin = "<script type=\"application/json\" class=\"run\">";
constexpr std::string_view run_end = "</script>";
constexpr std::string_view json_begin = "{\"peal_bench\":";

// A run's beginning up to its command holds its name. As text, it is as good as the name.
std::string_view name_part(std::string_view json) {
  return json.substr(0, json.find("\"command\":"));
}

// No text in a run may end the script that it stands in.
std::string safe_in_page(std::string_view json) {
  std::string out;
  for (const char letter : json) {
    if (letter == '<') {
      out += "\\u003c";
    } else if (letter != '\n') {
      out += letter;
    }
  }
  return out;
}

}  // namespace

std::variant<std::vector<std::string>, std::string> runs_in(std::string_view text) {
  std::vector<std::string> runs;
  if (text.starts_with(json_begin)) {
    while (text.starts_with(json_begin)) {  // A line each.
      const size_t end = std::min(text.find('\n'), text.size());
      runs.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return runs;
  }
  for (size_t at; (at = text.find(run_begin)) != text.npos;) {
    text.remove_prefix(at + run_begin.size());
    runs.emplace_back(text.substr(0, text.find(run_end)));
  }
  if (runs.empty()) return std::string("holds no run of peal-bench");
  return runs;
}

void add_run(std::vector<std::string>& runs, const std::string& json) {
  const std::string safe = safe_in_page(json);
  std::erase_if(runs, [&](const std::string& run) { return name_part(run) == name_part(safe); });
  runs.push_back(safe);
}

std::string page_of(const std::vector<std::string>& runs) {
  std::string page(page_head);
  for (const std::string& run : runs) {
    page += run_begin;
    page += run;
    page += run_end;
    page += '\n';
  }
  return page += page_tail;
}

}  // namespace peal::bench
