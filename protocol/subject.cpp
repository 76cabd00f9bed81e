#include "protocol/subject.hpp"

#include "protocol/scan.hpp"

namespace peal::protocol {

bool is_valid_filter(std::string_view filter) {
  Tokens tokens(filter);
  for (std::string_view token; tokens.next(token);) {
    if (token.empty() || (token == ">" && !tokens.ended())) return false;
  }
  return true;
}

bool is_valid_literal(std::string_view subject) {
  return !has_empty_token(subject) && !has_wildcard(subject);
}

bool has_wildcard(std::string_view filter) {
  Tokens tokens(filter);
  for (std::string_view token; tokens.next(token);) {
    if (token == "*" || token == ">") return true;
  }
  return false;
}

bool has_empty_token(std::string_view subject) {
  if (subject.empty() || subject.front() == '.' || subject.back() == '.') return true;
  const char* at = subject.data();
  const char* const last = at + subject.size() - 1;
  for (; last - at >= 8; at += 8) {
    if ((scan::dots(at) & scan::dots(at + 1)) != 0) return true;
  }
  for (; at < last; at++) {
    if (at[0] == '.' && at[1] == '.') return true;
  }
  return false;
}

bool matches(std::string_view filter, std::string_view subject) {
  if (has_empty_token(subject)) return false;
  Tokens wanted(filter), given(subject);
  std::string_view wanted_token, given_token;
  while (wanted.next(wanted_token)) {
    if (!given.next(given_token)) return false;
    if (wanted_token == ">") return true;
    if (wanted_token != "*" && wanted_token != given_token) return false;
  }
  return given.ended();
}

bool covers(std::string_view wide, std::string_view narrow) {
  Tokens wanted(wide), given(narrow);
  std::string_view wanted_token, given_token;
  while (wanted.next(wanted_token)) {
    if (!given.next(given_token)) return false;
    if (wanted_token == ">") return true;
    if (given_token == ">") return false;
    if (wanted_token != "*" && wanted_token != given_token) return false;
  }
  return given.ended();
}

bool overlap(std::string_view one, std::string_view other) {
  Tokens left(one), right(other);
  std::string_view left_token, right_token;
  while (left.next(left_token)) {
    if (!right.next(right_token)) return false;
    if (left_token == ">" || right_token == ">") return true;
    if (left_token != "*" && right_token != "*" && left_token != right_token) return false;
  }
  return right.ended();
}

}  // namespace peal::protocol
