#include "server/open_requests.hpp"

#include <doctest/doctest.h>

using peal::server::OpenRequests;

TEST_CASE("open requests: a request is lost with the last of its parts") {
  OpenRequests requests;
  const uint32_t first = requests.open(3);
  const uint32_t second = requests.open(2);
  CHECK(first != second);
  CHECK_FALSE(requests.lose(first, 1));
  CHECK_FALSE(requests.lose(second, 1));
  CHECK(requests.lose(first, 2));
  CHECK(requests.lose(second, 1));
}

TEST_CASE("open requests: one that gave way to another is never lost, nor is the other for it") {
  OpenRequests requests;
  const uint32_t old = requests.open(1);
  for (size_t i = 1; i < OpenRequests::open_max; i++) requests.open(1);
  const uint32_t in_its_place = requests.open(1);
  CHECK_FALSE(requests.lose(old, 1));
  CHECK(requests.lose(in_its_place, 1));
}
