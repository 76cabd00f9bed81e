#include "tools/bench/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "tools/bench/report_csv.hpp"
#include "tools/bench/report_html.hpp"
#include "tools/bench/report_json.hpp"
#include "tools/bench/report_table.hpp"

namespace peal::bench {
namespace {

namespace fs = std::filesystem;
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

Failure cannot_write(const std::string& path) {
  return fmt::format("cannot write {}: {}", path == standard_output ? "standard output" : path,
                     std::strerror(errno));
}

Failure write_file(const std::string& path, const char* mode, std::string_view text) {
  const bool standard = path == standard_output;
  std::FILE* const file = standard ? stdout : std::fopen(path.c_str(), mode);
  if (file == nullptr) return cannot_write(path);
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = (standard ? std::fflush(file) : std::fclose(file)) == 0 && written;
  return written ? Failure() : cannot_write(path);
}

/// A device or a pipe can neither be read, tried nor replaced.
bool is_special(const fs::file_status& status) {
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

/// What an earlier run has written.
std::string text_before(const std::string& path) {
  std::error_code error;
  if (path == standard_output || is_special(fs::status(path, error))) return {};
  return read_file(path).value_or("");
}

/// Whoever reads the page meanwhile finds the old one, and so does everybody if the disk is full.
Failure replace_file(const std::string& path, std::string_view text) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (path == standard_output || is_special(status)) return write_file(path, "w", text);
  // What a link points to is the page.
  const std::string page = fs::exists(status) ? fs::canonical(path, error).string() : path;
  const std::string draft = fmt::format("{}.{}", page, ::getpid());
  const bool whole = !write_file(draft, "w", text);
  if (whole && fs::exists(status)) fs::permissions(draft, status.permissions(), error);
  if (whole && std::rename(draft.c_str(), page.c_str()) == 0) return {};
  const Failure failure = cannot_write(path);
  std::remove(draft.c_str());
  return failure;
}

/// `replaced`: by what it holds and more.
Failure check_file(const std::string& path, bool replaced) {
  if (path.empty() || path == standard_output) return {};
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (is_special(status)) return {};
  if (fs::is_directory(status)) return errno = EISDIR, cannot_write(path);
  const int wanted = replaced ? R_OK | W_OK : W_OK;
  if (fs::exists(status) && ::access(path.c_str(), wanted) != 0) return cannot_write(path);
  if (fs::exists(status) && !replaced) return {};
  const fs::path page = fs::exists(status) ? fs::canonical(path, error) : fs::path(path);
  const fs::path folder = page.parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0) return cannot_write(path);
  return {};
}

Failure append_csv(const Options& options, const Result& result) {
  const bool begun = !text_before(options.csv_file).empty();
  return write_file(options.csv_file, "a", (begun ? "" : csv_head()) + csv_line(options, result));
}

/// The runs of the page that this one is added to; none if it is to be made.
Failure read_page(const Options& options, std::vector<std::string>& runs) {
  const std::string page = text_before(options.html_file);
  if (page.empty()) return {};
  auto found = runs_in(page);
  if (auto* error = std::get_if<std::string>(&found)) {
    return fmt::format("{} {}: it is left as it is", options.html_file, *error);
  }
  runs = std::get<std::vector<std::string>>(std::move(found));
  return {};
}

Failure add_to_page(const Options& options, const std::string& json) {
  std::vector<std::string> runs;
  if (auto failure = read_page(options, runs)) return failure;
  add_run(runs, json);
  return replace_file(options.html_file, page_of(runs));
}

}  // namespace

Failure check_outputs(const Options& options) {
  for (const std::string& path : {options.json_file, options.csv_file}) {
    if (auto failure = check_file(path, false)) return failure;
  }
  if (auto failure = check_file(options.html_file, true)) return failure;
  std::vector<std::string> runs;
  return options.html_file.empty() ? Failure() : read_page(options, runs);
}

Failure put_out(const Options& options, const Result& result) {
  Failure first;  // What cannot be written keeps nothing else from being written.
  const auto keep = [&first](Failure failure) {
    if (!first) first = std::move(failure);
  };
  // Whoever wants data on standard output wants nothing else there.
  const bool data = options.json_file == standard_output || options.csv_file == standard_output ||
                    options.html_file == standard_output;
  // Where no server answered, a table of zeros would only hide why.
  const std::string table = result.server.empty() ? "" : table_of(options, result);
  if (data) {
    fmt::print(stderr, "{}", table);
  } else {
    keep(write_file(std::string(standard_output), "", table));
  }
  const std::string json = json_of(options, result);
  if (!options.json_file.empty()) keep(write_file(options.json_file, "w", json + "\n"));
  if (!options.csv_file.empty()) keep(append_csv(options, result));
  if (!options.html_file.empty()) keep(add_to_page(options, json));
  return first;
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
  return replace_file(options.html_file, page_of(runs));
}

}  // namespace peal::bench
