#include "server/helper_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>

namespace peal::server {
namespace {

using Kind = HelperPool::Kind;

Kind kind_of(char letter) {
  return letter == 'h' ? Kind::handshake : letter == 's' ? Kind::signature : Kind::password;
}

/// One helper, whose first work takes until something of each kind waits behind it: `h` for a
/// handshake, `s` for a signature, any other letter for a password. In what order it was done.
std::string order_behind(Kind first, const std::string& waiting) {
  std::string order;
  std::atomic<bool> may_end{false};
  std::atomic<size_t> done{0};
  HelperPool pool(1);
  REQUIRE(pool.submit(first, [&] { may_end.wait(false); }));
  for (const char each : waiting) {
    REQUIRE(pool.submit(kind_of(each), [&, each] {
      order += each;
      done++;
      done.notify_one();
    }));
  }
  may_end = true;
  may_end.notify_one();
  for (size_t seen = 0; seen < waiting.size(); seen = done) done.wait(seen);
  return order;
}

TEST_CASE("helper pool: a handshake does not wait for all the hashes before it") {
  CHECK(order_behind(Kind::password, "ppph").front() == 'h');
}

TEST_CASE("helper pool: a hash does not wait for all the handshakes before it") {
  CHECK(order_behind(Kind::handshake, "hhhp").front() == 'p');
}

TEST_CASE("helper pool: a signature does not wait for all the hashes before it") {
  CHECK(order_behind(Kind::password, "ppps").front() == 's');
}

// Those who have waited long are the next to give up.
TEST_CASE("helper pool: of hashes the newest comes first") {
  CHECK(order_behind(Kind::handshake, "abc") == "cba");
}

TEST_CASE("helper pool: each kind has a bound of its own") {
  std::atomic<bool> may_end{false};
  HelperPool pool(1);
  REQUIRE(pool.submit(Kind::password, [&] { may_end.wait(false); }));
  size_t taken = 0;
  while (taken <= HelperPool::waiting_max && pool.submit(Kind::password, [] {})) taken++;
  // The first may have been taken from the queue by now.
  CHECK(taken >= HelperPool::waiting_max - 1);
  CHECK(taken <= HelperPool::waiting_max);
  CHECK(pool.submit(Kind::handshake, [] {}));
  may_end = true;
  may_end.notify_one();
}

}  // namespace
}  // namespace peal::server
