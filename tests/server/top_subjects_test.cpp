#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "server/monitor/top_subjects.hpp"

using peal::server::ConnectionPicture;
using peal::server::monitor::TopSubjects;

namespace {

constexpr int64_t second_ns = 1'000'000'000;

ConnectionPicture publisher(uint64_t cid, std::string subject, uint64_t messages) {
  ConnectionPicture picture;
  picture.cid = cid;
  picture.last_subject = std::move(subject);
  picture.in_messages = messages;
  return picture;
}

}  // namespace

TEST_CASE("top subjects: rates come near what is published, the busiest first") {
  TopSubjects subjects;
  for (uint64_t look = 1; look <= 3; look++) {
    subjects.sample({publisher(1, "busy", look * 1000), publisher(2, "calm", look * 10)},
                    static_cast<int64_t>(look) * second_ns);
  }
  const auto top = subjects.top(5);
  REQUIRE(top.size() == 2);
  CHECK(top[0].first == "busy");
  CHECK(top[0].second == doctest::Approx(1000).epsilon(0.01));
  CHECK(top[1].second == doctest::Approx(10).epsilon(0.01));
  CHECK(subjects.top(1).size() == 1);
}

TEST_CASE("top subjects: what nobody publishes any more is forgotten") {
  TopSubjects subjects;
  subjects.sample({publisher(1, "gone", 0)}, second_ns);
  subjects.sample({publisher(1, "gone", 1000)}, 2 * second_ns);
  CHECK(subjects.top(5).size() == 1);
  for (int64_t at = 3; at < 60; at++) subjects.sample({}, at * second_ns);
  CHECK(subjects.top(5).empty());
}

// The bug this keeps out: a million subjects, each seen once, would stay for ever.
TEST_CASE("top subjects: there is a bound to what is followed") {
  TopSubjects subjects;
  for (uint64_t look = 0; look < 20; look++) {
    std::vector<ConnectionPicture> connections;
    for (uint64_t cid = 0; cid < 500; cid++) {
      connections.push_back(publisher(cid, std::to_string(look * 500 + cid), look * 1000));
    }
    subjects.sample(connections, static_cast<int64_t>(look + 1) * second_ns);
  }
  CHECK(subjects.top(1'000'000).size() <= TopSubjects::subjects_max);
}
