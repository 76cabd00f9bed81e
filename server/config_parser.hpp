#pragma once
// nats-server's configuration grammar: text in, a tree of values out. It knows the syntax, includes
// and variables; which keys there are, it must never know.
//
//   item      key value | key: value | key = value | key { ... } | include "file"
//   ends      at a newline, ',' or ';'
//   comments  # and //, from where they begin a word to the end of the line
//   values    { items }  [ values ]  "text\n"  'raw text'  bare_text  12  12k  12KiB  1.5  $VAR
//             true yes on  false no off  ( block, ended by a line with nothing but a parenthesis )
//
// Braces around a whole file are allowed, so JSON is one too. Of several items with one key, in a
// file and all that it includes, the last counts.

#include <cstddef>
#include <string>
#include <variant>

#include "server/config_value.hpp"

namespace peal::server {

/// How deep maps and arrays may lie in each other, and files include each other. Numbers of taste:
/// no honest file comes near them, and a dishonest one must not use up the stack.
inline constexpr int config_depth_max = 100;
inline constexpr int config_includes_max = 16;
/// Room for a hundred thousand users; /dev/zero has no end.
inline constexpr size_t config_file_bytes_max = 64 << 20;

/// The error is one sentence with file, line and column; so is each of the warnings, which are
/// added to those that are there.
std::variant<ConfigMap, std::string> parse_config_file(const std::string& path,
                                                       std::vector<std::string>& warnings);

/// The same for a text that is no file. `name` stands in errors, and includes are relative to it.
std::variant<ConfigMap, std::string> parse_config_text(const std::string& text,
                                                       const std::string& name,
                                                       std::vector<std::string>& warnings);

}  // namespace peal::server
