#pragma once
// Subjects as lists of tokens, matched by the book and slowly: what fuzzers hold the server's quick
// ways against. It shares no line with them.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace peal::fuzz {

using TokenList = std::vector<std::string>;

inline TokenList tokens_of(std::string_view subject) {
  TokenList tokens(1);
  for (const char letter : subject) {
    if (letter == '.') {
      tokens.emplace_back();
    } else {
      tokens.back() += letter;
    }
  }
  return tokens;
}

inline bool has(const TokenList& tokens, std::string_view wanted) {
  for (const std::string& token : tokens) {
    if (token == wanted) return true;
  }
  return false;
}

inline bool is_filter(const TokenList& tokens) {
  for (size_t i = 0; i < tokens.size(); i++) {
    if (tokens[i].empty() || (tokens[i] == ">" && i + 1 != tokens.size())) return false;
  }
  return true;
}

inline bool naive_matches(const TokenList& filter, const TokenList& subject, size_t at = 0) {
  if (at == filter.size()) return at == subject.size();
  if (at == subject.size()) return false;
  if (filter[at] == ">") return true;
  return (filter[at] == "*" || filter[at] == subject[at]) && naive_matches(filter, subject, at + 1);
}

inline bool naive_matches(std::string_view filter, std::string_view subject) {
  const TokenList tokens = tokens_of(subject);
  return !has(tokens, "") && naive_matches(tokens_of(filter), tokens);
}

}  // namespace peal::fuzz
