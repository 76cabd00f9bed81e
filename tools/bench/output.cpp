#include "tools/bench/output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "tools/bench/report_csv.hpp"
#include "tools/bench/report_html.hpp"
#include "tools/bench/report_json.hpp"
#include "tools/bench/report_table.hpp"

namespace peal::bench {
namespace {

using Failure = std::optional<std::string>;

std::optional<std::string> read_file(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return {};
  std::string text;
  char part[65536];
  for (size_t got; (got = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, got);
  std::fclose(file);
  return text;
}

Failure write_file(const std::string& path, const char* mode, std::string_view text) {
  if (path == standard_output) {
    fmt::print("{}", text);
    return {};
  }
  std::FILE* const file = std::fopen(path.c_str(), mode);
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) written = std::fclose(file) == 0 && written;
  if (written) return {};
  return fmt::format("cannot write {}: {}", path, std::strerror(errno));
}

Failure append_csv(const Options& options, const Result& result) {
  const bool begun = read_file(options.csv_file).value_or("") != "";
  return write_file(options.csv_file, "a", (begun ? "" : csv_head()) + csv_line(options, result));
}

Failure add_to_page(const Options& options, const std::string& json) {
  std::vector<std::string> runs;
  if (const auto page = read_file(options.html_file); page && !page->empty()) {
    auto found = runs_in(*page);
    if (auto* error = std::get_if<std::string>(&found)) {
      return fmt::format("{} {}: it is left as it is", options.html_file, *error);
    }
    runs = std::get<std::vector<std::string>>(std::move(found));
  }
  add_run(runs, json);
  return write_file(options.html_file, "w", page_of(runs));
}

}  // namespace

Failure put_out(const Options& options, const Result& result) {
  // Whoever wants data on standard output wants nothing else there.
  const bool data = options.json_file == standard_output || options.csv_file == standard_output ||
                    options.html_file == standard_output;
  // Where no server answered, a table of zeros would only hide why.
  if (!result.server.empty()) fmt::print(data ? stderr : stdout, "{}", table_of(options, result));
  const std::string json = json_of(options, result);
  if (!options.json_file.empty()) {
    if (auto failure = write_file(options.json_file, "w", json + "\n")) return failure;
  }
  if (!options.csv_file.empty()) {
    if (auto failure = append_csv(options, result)) return failure;
  }
  return options.html_file.empty() ? Failure() : add_to_page(options, json);
}

Failure put_out_report(const Options& options) {
  std::vector<std::string> runs;
  for (const std::string& path : options.report_files) {
    const auto text = read_file(path);
    if (!text) return fmt::format("cannot read {}: {}", path, std::strerror(errno));
    auto found = runs_in(*text);
    if (auto* error = std::get_if<std::string>(&found)) return fmt::format("{} {}", path, *error);
    for (const std::string& run : std::get<std::vector<std::string>>(found)) add_run(runs, run);
  }
  return write_file(options.html_file, "w", page_of(runs));
}

}  // namespace peal::bench
