#pragma once
// The part of an address behind the question mark, as nats-server reads it, with its sentences for
// what it cannot read. It knows names and numbers; what they ask for it must never know.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace peal::server::monitor {

/// Each read gives the default for what is absent or empty. The first value that could not be read
/// is remembered as error().
class Query {
 public:
  Query() = default;
  explicit Query(std::vector<std::pair<std::string, std::string>> values)
      : values_(std::move(values)) {}

  std::string_view text(std::string_view name) const;
  bool has(std::string_view name) const { return !text(name).empty(); }
  bool boolean(std::string_view name);
  /// True also when it is this word, in whatever case.
  bool boolean_or(std::string_view name, std::string_view word);
  /// Not negative.
  int64_t integer(std::string_view name);
  uint64_t identifier(std::string_view name);

  /// nats-server's sentence, to be answered with status 400; empty when all could be read.
  const std::string& error() const { return error_; }
  void fail(std::string sentence) {
    if (error_.empty()) error_ = std::move(sentence);
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  std::string error_;
};

/// Which part of a list is wanted.
struct Page {
  static constexpr int64_t limit_default = 1024;

  int64_t offset = 0;
  int64_t limit = limit_default;

  static Page of(Query& query);
  /// The first and the one behind the last, of a list of so many.
  std::pair<size_t, size_t> range(size_t total) const;
};

}  // namespace peal::server::monitor
