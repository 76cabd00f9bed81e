// The values behind the question mark of a monitoring address, in pairs of lines: numbers of any
// kind, and the part of a list that they ask for, which lies within the list.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "server/monitor/query.hpp"
#include "tests/fuzz/reader.hpp"

namespace {

void expect(bool claim) {
  if (!claim) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using peal::server::monitor::Page;
  using peal::server::monitor::Query;
  static constexpr const char* names[] = {"offset", "limit", "cid", "subs", "state"};
  peal::fuzz::Reader input(data, size);
  const size_t total = input.byte() % 4 == 0 ? SIZE_MAX : input.byte();
  std::vector<std::pair<std::string, std::string>> values;
  while (!input.ended() && values.size() < 8) {
    const char* const name = names[input.byte() % 5];
    values.emplace_back(name, input.text_until('\n'));
  }
  Query query(std::move(values));
  const Page page = Page::of(query);
  expect(page.offset >= 0 && page.limit > 0);
  const auto [begin, end] = page.range(total);
  expect(begin <= end && end <= total);
  expect(end - begin <= static_cast<size_t>(page.limit));
  query.identifier("cid");
  query.boolean("subs");
  expect(query.integer("offset") >= 0);
  expect(query.error().empty() || query.error().starts_with("Error decoding "));
  return 0;
}
