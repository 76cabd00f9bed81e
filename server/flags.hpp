#pragma once
// The flags of the command line, declared once: names, value, help, and what each does to a draft
// of the options. It knows no argv; options.cpp reads that and asks here.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/options.hpp"

namespace peal::server {

/// What the flags fill in.
struct FlagDraft {
  ParsedCommand command;
  std::string config_file;
};

/// One flag, and everything that is known of it.
struct Flag {
  std::string_view names;       // The short one first: "p,port".
  std::string_view value_name;  // Empty: a switch, which takes a value only after '='.
  std::string_view help;        // Empty: not in --help.
  /// Why a value is not taken.
  std::optional<std::string> (*apply)(FlagDraft& draft, std::string_view value);
};

/// In the order of --help.
std::span<const Flag> all_flags();

/// nullptr when there is none of this name; '-' counts as '_' in it.
const Flag* find_flag(std::string_view name);

/// How our sentences call a flag: by its first name that is a word.
std::string canonical_name(std::string_view names);

/// With one dash or two in front, as people write it.
std::string dashed(std::string_view name);

/// What is said of a flag that find_flag() does not know.
std::string unknown_flag(std::string_view name);

std::string help_text();

}  // namespace peal::server
