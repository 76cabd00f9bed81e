#pragma once
// Values of flags: numbers and times with units, and texts. It knows how they are written and
// between which bounds they lie; what a flag is for it must never know.

#include <cstdint>
#include <cxxopts.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace peal::bench {

using Refusal = std::optional<std::string>;

/// Takes flags out of what cxxopts found; the first thing that is wrong is kept.
class FlagReader {
 public:
  explicit FlagReader(const cxxopts::ParseResult& found) : found_(found) {}

  bool given(const char* name) const { return found_.count(name) != 0; }
  const Refusal& refusal() const { return refusal_; }

  template <typename Number>
  void number(const char* name, uint64_t lowest, uint64_t highest, Number& out) {
    if (const auto value = whole(name, lowest, highest)) out = Number(*value);
  }
  void real(const char* name, double& out);
  void time(const char* name, double& out);
  void text(const char* name, std::string& out);
  /// A text that reports show.
  void words(const char* name, std::string& out);
  void flag(const char* name, bool& out) { out = out || given(name); }

 private:
  std::optional<double> whole(const char* name, uint64_t lowest, uint64_t highest);
  std::string value_of(const char* name) const { return found_[name].as<std::string>(); }
  void refuse(std::string sentence) {
    if (!refusal_) refusal_ = std::move(sentence);
  }

  const cxxopts::ParseResult& found_;
  Refusal refusal_;
};

}  // namespace peal::bench
