#include "server/config_parser.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error_text.hpp"
#include "server/config_number.hpp"
#include "server/spelling.hpp"

namespace peal::server {

namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

bool is_blank(char letter) { return blanks.find(letter) != blanks.npos; }

/// Zero, or an errno.
int read_file(const std::filesystem::path& path, std::string& text) {
  std::FILE* const file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return errno;
  char bytes[4096];
  size_t count = 0;
  while (text.size() <= config_file_bytes_max &&
         (count = std::fread(bytes, 1, sizeof bytes, file)) > 0) {
    text.append(bytes, count);
  }
  int error = std::ferror(file) != 0 ? errno : 0;
  if (text.size() > config_file_bytes_max) error = EFBIG;
  std::fclose(file);
  return error;
}

std::optional<bool> as_bool(std::string_view word) {
  const std::string folded = folded_name(word);
  if (folded == "true" || folded == "yes" || folded == "on") return true;
  if (folded == "false" || folded == "no" || folded == "off") return false;
  return {};
}

/// $2a$, $2b$, ... begin the hash of a password, and no variable.
bool is_password_hash(std::string_view word) {
  return word.size() > 3 && word.starts_with("$2") && word[2] >= 'a' && word[2] <= 'z' &&
         word[3] == '$';
}

/// What a file has in common with those that it includes: the maps that are open, outermost first,
/// where variables are looked up; the variables that are being read from the environment; how deep
/// we are; what to warn of.
struct Context {
  std::vector<std::string>& warnings;
  std::vector<ConfigMap*> scopes = {};
  std::vector<std::string> environment = {};
  int depth = 0;
  int includes = 0;
};

// Reads one text from front to back, and never looks back. The first error stands, and makes every
// later step fail: each function that reads returns false after it.
class Parser {
 public:
  Parser(std::string_view text, std::string name, Context& context)
      : text_(text),
        name_(std::make_shared<const std::string>(std::move(name))),
        context_(context) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // A byte order mark, as some editors leave.
  }

  std::string error;

  /// The whole text as the items of `map`.
  bool read_document(ConfigMap& map) {
    return read_whole([&](char closing) { return read_items(map, closing); });
  }

  /// The whole text as one value.
  bool read_only_value(ConfigValue& value) {
    skip_blanks_and_comments();
    if (!read_value(value)) return false;
    skip_blanks_and_comments();
    return at_end() || fail("more than one value");
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool next_is(char letter) const { return !at_end() && text_[at_] == letter; }

  char take() {
    const char letter = text_[at_++];
    column_++;
    if (letter == '\n') {
      line_++;
      column_ = 1;
    }
    return letter;
  }

  ConfigPosition position() const { return {name_, line_, column_}; }

  bool fail(const std::string& sentence) { return fail_at(position(), sentence); }
  bool fail_at(const ConfigPosition& where, const std::string& sentence) {
    if (error.empty()) error = error_at(where, sentence);
    return false;
  }

  // A name or path would end there for everybody who takes it for a text of C.
  bool is_text() {
    const size_t zero = text_.find('\0');
    if (zero == text_.npos) return true;
    while (at_ < zero) take();
    return fail("a zero byte: this is no text");
  }

  bool at_comment() const { return next_is('#') || text_.substr(at_).starts_with("//"); }

  void skip_comment() {
    while (!at_end() && !next_is('\n')) take();
  }

  void skip_blanks_and_comments() {
    while (!at_end()) {
      if (is_blank(text_[at_])) {
        take();
      } else if (at_comment()) {
        skip_comment();
      } else {
        return;
      }
    }
  }

  /// Between a value and what follows it. True if something there ends the item: a newline, a
  /// comma, a semicolon or a comment. A bracket ends it too, but is left for its owner.
  bool skip_end_of_item() {
    while (!at_end() && is_blank(text_[at_]) && !next_is('\n')) take();
    if (at_end() || next_is('}') || next_is(']') || at_comment()) return true;
    if (!next_is('\n') && !next_is(',') && !next_is(';')) return false;
    take();
    return true;
  }

  bool read_items(ConfigMap& map, char closing) {
    if (++context_.depth > config_depth_max) return fail("maps and arrays lie too deep");
    context_.scopes.push_back(&map);
    const bool done = read_items_until(map, closing);
    context_.scopes.pop_back();
    context_.depth--;
    if (done) keep_last_of_each(map);
    return done;
  }

  // As in nats-server, the last of several is the only one: it is not added to those before it.
  void keep_last_of_each(ConfigMap& map) {
    std::vector<ConfigEntry>& entries = map.entries;
    std::unordered_map<std::string_view, size_t> last;
    for (size_t i = 0; i < entries.size(); i++) last[entries[i].key] = i;
    if (last.size() == entries.size()) return;
    std::vector<ConfigEntry> kept;
    for (size_t i = 0; i < entries.size(); i++) {
      ConfigEntry& by = entries[last.at(entries[i].key)];
      if (&by == &entries[i]) continue;
      by.is_variable |= entries[i].is_variable;
      context_.warnings.push_back(
          error_at(entries[i].position,
                   fmt::format("{}: is there again, and only the last counts", entries[i].key)));
    }
    for (size_t i = 0; i < entries.size(); i++) {
      if (last.at(entries[i].key) == i) kept.push_back(entries[i]);
    }
    entries = std::move(kept);
  }

  /// A text that may have braces around all of it. `read` reads its items.
  template <class Read>
  bool read_whole(Read&& read) {
    if (!is_text()) return false;
    skip_blanks_and_comments();
    if (!next_is('{')) return read('\0');
    take();
    if (!read('}')) return false;
    skip_blanks_and_comments();
    return at_end() || fail("nothing may follow the closing brace of the file");
  }

  bool read_items_until(ConfigMap& map, char closing) {
    for (;;) {
      skip_blanks_and_comments();
      if (next_is(',') || next_is(';')) {  // After a map or an array that ended its own line.
        take();
        continue;
      }
      if (at_end()) return closing == '\0' || fail("a closing brace is missing");
      if (next_is('}')) {
        if (closing != '}') return fail("a closing brace without an opening one");
        take();
        return true;
      }
      if (!read_item(map)) return false;
      if (!skip_end_of_item()) {
        return fail("an item ends with a newline, ',' or ';': put a text with blanks in quotes");
      }
    }
  }

  bool read_item(ConfigMap& map) {
    ConfigEntry entry{.key = {}, .position = position(), .value = {}};
    const bool quoted = next_is('"') || next_is('\'');
    if (quoted ? !read_quoted(entry.key) : !read_bare_key(entry.key)) return false;
    if (!quoted && folded_name(entry.key) == "include" && !at_end() && is_blank(text_[at_])) {
      return read_include(map);
    }
    skip_blanks_and_comments();
    if (next_is(':') || next_is('=')) {
      take();
      skip_blanks_and_comments();
    }
    if (at_end() || next_is('}')) {
      return fail_at(entry.position, fmt::format("'{}' has no value", entry.key));
    }
    if (!read_value(entry.value)) return false;
    map.entries.push_back(std::move(entry));
    return true;
  }

  bool read_bare_key(std::string& key) {
    constexpr std::string_view ends = ":={}[](),;\"'";
    while (!at_end() && !is_blank(text_[at_]) && ends.find(text_[at_]) == ends.npos) key += take();
    return !key.empty() || fail(fmt::format("a key cannot begin with '{}'", text_[at_]));
  }

  bool read_include(ConfigMap& map) {
    skip_blanks_and_comments();
    const ConfigPosition where = position();
    std::string file;
    const bool quoted = next_is('"') || next_is('\'');
    if (quoted && !read_quoted(file)) return false;
    if (!quoted) file = read_word();
    if (file.empty()) return fail_at(where, "include: needs the name of a file");
    if (context_.includes == config_includes_max) {
      return fail_at(where, "include: files include each other too deep");
    }
    const auto path = std::filesystem::path(*name_).parent_path() / file;
    std::string text;
    if (const int reason = read_file(path, text)) {
      return fail_at(where, fmt::format("include {}: {}", path.string(), core::error_text(reason)));
    }
    Parser included(text, path.string(), context_);
    context_.includes++;
    const bool done = included.read_into(map);
    context_.includes--;
    return done || (error = included.error, false);
  }

  /// An included file: its items belong to the map that includes it, which is in scope already.
  bool read_into(ConfigMap& map) {
    return read_whole([&](char closing) { return read_items_until(map, closing); });
  }

  bool read_value(ConfigValue& value) {
    value.position = position();
    if (at_end()) return fail("a value is missing");
    switch (text_[at_]) {
      case '{':
        take();
        return read_items(value.content.emplace<ConfigMap>(), '}');
      case '[':
        take();
        return read_array(value.content.emplace<ConfigArray>());
      case '(':
        take();
        return read_block(value.content.emplace<std::string>());
      case '"':
      case '\'':
        return read_quoted(value.content.emplace<std::string>());
      default:
        return read_bare_value(value);
    }
  }

  bool read_array(ConfigArray& array) {
    if (++context_.depth > config_depth_max) return fail("maps and arrays lie too deep");
    for (;;) {
      skip_blanks_and_comments();
      if (at_end()) return fail("a closing bracket is missing");
      if (next_is(',')) {
        take();
        continue;
      }
      if (next_is(']')) {
        take();
        context_.depth--;
        return true;
      }
      if (!read_value(array.emplace_back())) return false;
      if (!skip_end_of_item()) {
        return fail("values of an array are separated by ',' or a newline");
      }
    }
  }

  // Raw, up to a line with nothing on it but the closing parenthesis.
  bool read_block(std::string& block) {
    const ConfigPosition opening = position();
    for (size_t begin_of_line = 0; !at_end();) {
      block += take();
      const bool line_ended = block.back() == '\n' || at_end();
      if (!line_ended) continue;
      const std::string_view line = std::string_view(block).substr(begin_of_line);
      const size_t first = line.find_first_not_of(blanks);
      const bool closes = first != line.npos && line[first] == ')' &&
                          line.find_first_not_of(blanks, first + 1) == line.npos;
      if (closes) {
        if (block.back() == '\n') {
          at_--;  // It ends the item.
          line_--;
        }
        block.resize(begin_of_line);
        return true;
      }
      begin_of_line = block.size();
    }
    return fail_at(opening, "a block has no line with its closing parenthesis");
  }

  bool read_quoted(std::string& text) {
    const ConfigPosition opening = position();
    const char quote = take();
    while (!at_end()) {
      const char letter = take();
      if (letter == quote) return true;
      if (letter == '\\' && quote == '"') {
        if (!read_escape(text)) return false;
      } else {
        text += letter;
      }
    }
    return fail_at(opening, "a closing quote is missing");
  }

  bool read_escape(std::string& text) {
    const char letter = at_end() ? '\0' : take();
    switch (letter) {
      case 'n':
        text += '\n';
        return true;
      case 't':
        text += '\t';
        return true;
      case 'r':
        text += '\r';
        return true;
      case '"':
        text += '"';
        return true;
      case '\\':
        text += '\\';
        return true;
      case 'x': {
        const std::string_view digits = text_.substr(at_, 2);
        unsigned byte = 0;
        const char* const end = digits.data() + digits.size();
        if (digits.size() != 2 || std::from_chars(digits.data(), end, byte, 16).ptr != end) {
          return fail("\\x needs two hexadecimal digits");
        }
        take();
        take();
        text += static_cast<char>(byte);
        return true;
      }
      default:
        return fail(fmt::format("'\\{}' is none of \\n \\t \\r \\\" \\\\ \\xXX", letter));
    }
  }

  std::string_view read_word() {
    constexpr std::string_view ends = ",;]}";
    const size_t begin = at_;
    while (!at_end() && !is_blank(text_[at_]) && ends.find(text_[at_]) == ends.npos) take();
    return text_.substr(begin, at_ - begin);
  }

  bool read_bare_value(ConfigValue& value) {
    const std::string_view word = read_word();
    if (word.empty()) return fail(fmt::format("a value cannot begin with '{}'", text_[at_]));
    if (word[0] == '$' && !is_password_hash(word)) return look_up(word.substr(1), value);
    if (const auto truth = as_bool(word)) {
      value.content = *truth;
    } else if (const auto integer = config_integer(word)) {
      value.content = ConfigInteger{*integer, std::string(word)};
    } else if (const auto fraction = config_fraction(word)) {
      value.content = *fraction;
    } else {
      value.content.emplace<std::string>(word);
    }
    return true;
  }

  // From the innermost map outwards, then in the environment, whose text is a value like any other.
  bool look_up(std::string_view name, ConfigValue& value) {
    const ConfigPosition where = value.position;
    for (auto scope = context_.scopes.rbegin(); scope != context_.scopes.rend(); ++scope) {
      auto& entries = (*scope)->entries;
      for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
        if (entry->key != name) continue;
        entry->is_variable = true;
        value.content = entry->value.content;
        return true;
      }
    }
    const std::string key(name);
    const char* const text = std::getenv(key.c_str());
    if (text == nullptr) return fail_unknown_variable(where, name);
    if (*text == '\0') {  // Set to nothing, which is not the same as not set.
      value.content.emplace<std::string>();
      return true;
    }
    for (const std::string& open : context_.environment) {
      if (open == key) return fail_at(where, fmt::format("${} refers to itself", name));
    }
    context_.environment.push_back(key);
    Parser parser(text, fmt::format("${}", name), context_);
    const bool done = parser.read_only_value(value);
    context_.environment.pop_back();
    value.position = where;
    return done || (error = error_at(where, parser.error), false);
  }

  // A password or a broken hash without quotes is taken for a variable too: what is no name that
  // anybody gives to one is not shown.
  bool fail_unknown_variable(const ConfigPosition& where, std::string_view name) {
    constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    if (name.find_first_not_of(letters) != name.npos) {
      return fail_at(where,
                     "what begins with $ is a variable, and this is the name of none: put a "
                     "password or its hash in quotes");
    }
    return fail_at(where, fmt::format("${} is neither in the file nor in the environment", name));
  }

  const std::string_view text_;
  const std::shared_ptr<const std::string> name_;
  Context& context_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
};

}  // namespace

std::variant<ConfigMap, std::string> parse_config_text(const std::string& text,
                                                       const std::string& name,
                                                       std::vector<std::string>& warnings) {
  Context context{warnings};
  Parser parser(text, name, context);
  ConfigMap map;
  if (!parser.read_document(map)) return parser.error;
  return map;
}

std::variant<ConfigMap, std::string> parse_config_file(const std::string& path,
                                                       std::vector<std::string>& warnings) {
  std::string text;
  if (const int reason = read_file(path, text)) {
    return fmt::format("{}: {}", path, core::error_text(reason));
  }
  return parse_config_text(text, path, warnings);
}

}  // namespace peal::server
