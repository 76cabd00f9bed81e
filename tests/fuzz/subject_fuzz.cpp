// Three lines as subjects, held against lists of tokens: what is valid, what matches; and what has
// to follow from `covers` and `overlap` for every subject there is.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/subject.hpp"
#include "tests/fuzz/naive_subject.hpp"
#include "tests/fuzz/reader.hpp"

namespace {

using namespace peal::fuzz;
namespace protocol = peal::protocol;

void expect(bool claim) {
  if (!claim) std::abort();
}

void check_one(std::string_view text) {
  const TokenList tokens = tokens_of(text);
  const bool wild = has(tokens, "*") || has(tokens, ">");
  expect(protocol::has_empty_token(text) == has(tokens, ""));
  expect(protocol::has_wildcard(text) == wild);
  expect(protocol::is_valid_filter(text) == is_filter(tokens));
  expect(protocol::is_valid_literal(text) == (!wild && !has(tokens, "")));
}

// Whether some subject is matched by both: their tokens, with a word for each star, are one.
bool naive_overlap(const TokenList& one, const TokenList& other, size_t at = 0) {
  if (at == one.size() || at == other.size()) return at == one.size() && at == other.size();
  if (one[at] == ">" || other[at] == ">") return true;
  const bool meet = one[at] == "*" || other[at] == "*" || one[at] == other[at];
  return meet && naive_overlap(one, other, at + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Reader input(data, size);
  const std::string_view one = input.text_until('\n'), other = input.text_until('\n'),
                         subject = input.text_until('\n');
  for (const std::string_view text : {one, other, subject}) check_one(text);
  if (!protocol::is_valid_filter(one) || !protocol::is_valid_filter(other)) return 0;
  expect(protocol::matches(one, subject) == naive_matches(one, subject));
  expect(protocol::matches(other, subject) == naive_matches(other, subject));
  const bool overlap = protocol::overlap(one, other);
  expect(overlap == protocol::overlap(other, one));
  expect(overlap == naive_overlap(tokens_of(one), tokens_of(other)));
  if (protocol::matches(one, subject) && protocol::matches(other, subject)) expect(overlap);
  if (protocol::covers(one, other)) {
    expect(overlap);
    if (protocol::matches(other, subject)) expect(protocol::matches(one, subject));
    if (protocol::covers(other, subject) && protocol::is_valid_filter(subject)) {
      expect(protocol::covers(one, subject));
    }
  }
  return 0;
}
