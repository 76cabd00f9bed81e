#include "server/spelling.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <numeric>
#include <vector>

#include "protocol/letter_case.hpp"

namespace peal::server {

namespace {

// Edits that turn one word into the other: a letter put in, taken out, replaced, or swapped with
// its neighbour. The swap is the commonest slip of the fingers, so it counts as one.
size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<size_t> two_up(b.size() + 1);
  std::vector<size_t> up(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(up.begin(), up.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_up[j - 2] + 1);
      }
    }
    two_up.swap(up);
    up.swap(row);
  }
  return up[b.size()];
}

}  // namespace

std::string folded_name(std::string_view name) {
  std::string folded = protocol::lowered(name);
  std::ranges::replace(folded, '-', '_');
  return folded;
}

std::string_view closest_name(std::string_view name, std::span<const std::string_view> candidates) {
  const std::string wanted = folded_name(name);
  // A third of the letters wrong is where a guess stops being helpful and starts being silly.
  size_t edits_best = wanted.size() / 3 + 1;
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() < 2) continue;  // A single letter is close to everything.
    const size_t edits = edits_between(wanted, folded_name(candidate));
    if (edits >= edits_best) continue;
    edits_best = edits;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
  const std::string_view closest = closest_name(name, candidates);
  return closest.empty() ? "" : "; did you mean " + std::string(closest) + "?";
}

std::string in_capitals(std::string_view text) {
  std::string capitals(text);
  std::ranges::transform(capitals, capitals.begin(),
                         [](unsigned char letter) { return std::toupper(letter); });
  return capitals;
}

}  // namespace peal::server
